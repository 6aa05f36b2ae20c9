#include "source/extensions/compression/decompressor/gzip/factory.h"

#include <memory>

#include "envoy/extensions/compression/gzip/decompressor/v3/gzip.pb.h"
#include "source/config/compression_factory.h"
#include "source/extensions/compression/decompressor/gzip/gzip.h"

namespace sluice::extensions::compression::decompressor::gzip {
namespace {

using Proto = envoy::extensions::compression::gzip::decompressor::v3::Gzip;

class Factory : public config::DecompressorConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const api::DecompressorLibrary> compile(const google::protobuf::Message& message,
                                                          config::FactoryContext) const override {
    const auto& proto = static_cast<const Proto&>(message);
    Settings settings;
    if (proto.has_window_bits()) settings.window_bits = static_cast<int>(proto.window_bits().value());
    if (proto.has_chunk_size()) settings.chunk_size = proto.chunk_size().value();
    if (proto.has_max_inflate_ratio()) settings.max_inflate_ratio = proto.max_inflate_ratio().value();
    return std::make_shared<Library>(settings);
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.decompressors.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::compression::decompressor::gzip
