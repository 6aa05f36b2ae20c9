#include "source/extensions/compression/compressor/gzip/factory.h"

#include <memory>

#include "envoy/extensions/compression/gzip/compressor/v3/gzip.pb.h"
#include "source/config/compression_factory.h"
#include "source/extensions/compression/compressor/gzip/gzip.h"

namespace sluice::extensions::compression::compressor::gzip {
namespace {

using Proto = envoy::extensions::compression::gzip::compressor::v3::Gzip;

int strategyOf(Proto::CompressionStrategy strategy) {
  switch (strategy) {
    case Proto::FILTERED:
      return Z_FILTERED;
    case Proto::HUFFMAN_ONLY:
      return Z_HUFFMAN_ONLY;
    case Proto::RLE:
      return Z_RLE;
    case Proto::FIXED:
      return Z_FIXED;
    default:
      return Z_DEFAULT_STRATEGY;
  }
}

class Factory : public config::CompressorConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const api::CompressorLibrary> compile(const google::protobuf::Message& message,
                                                        config::FactoryContext) const override {
    const auto& proto = static_cast<const Proto&>(message);
    Settings settings;
    if (proto.compression_level() != Proto::DEFAULT_COMPRESSION) settings.level = proto.compression_level();
    settings.strategy = strategyOf(proto.compression_strategy());
    if (proto.has_window_bits()) settings.window_bits = static_cast<int>(proto.window_bits().value());
    if (proto.has_memory_level()) settings.memory_level = static_cast<int>(proto.memory_level().value());
    if (proto.has_chunk_size()) settings.chunk_size = proto.chunk_size().value();
    return std::make_shared<Library>(settings);
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.compressors.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::compression::compressor::gzip
