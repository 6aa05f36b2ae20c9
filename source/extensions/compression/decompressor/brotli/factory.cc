#include "source/extensions/compression/decompressor/brotli/factory.h"

#include <memory>

#include "envoy/extensions/compression/brotli/decompressor/v3/brotli.pb.h"
#include "source/config/compression_factory.h"
#include "source/extensions/compression/decompressor/brotli/brotli.h"

namespace sluice::extensions::compression::decompressor::brotli {
namespace {

using Proto = envoy::extensions::compression::brotli::decompressor::v3::Brotli;

class Factory : public config::DecompressorConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const api::DecompressorLibrary> compile(const google::protobuf::Message& message,
                                                          config::FactoryContext) const override {
    const auto& proto = static_cast<const Proto&>(message);
    Settings settings;
    settings.whole_window = proto.disable_ring_buffer_reallocation();
    if (proto.has_chunk_size()) settings.chunk_size = proto.chunk_size().value();
    return std::make_shared<Library>(settings);
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.decompressors.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::compression::decompressor::brotli
