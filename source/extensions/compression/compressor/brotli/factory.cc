#include "source/extensions/compression/compressor/brotli/factory.h"

#include <memory>

#include "envoy/extensions/compression/brotli/compressor/v3/brotli.pb.h"
#include "source/config/compression_factory.h"
#include "source/extensions/compression/compressor/brotli/brotli.h"

namespace sluice::extensions::compression::compressor::brotli {
namespace {

using Proto = envoy::extensions::compression::brotli::compressor::v3::Brotli;

BrotliEncoderMode modeOf(Proto::EncoderMode mode) {
  if (mode == Proto::TEXT) return BROTLI_MODE_TEXT;
  return mode == Proto::FONT ? BROTLI_MODE_FONT : BROTLI_MODE_GENERIC;
}

class Factory : public config::CompressorConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const api::CompressorLibrary> compile(const google::protobuf::Message& message,
                                                        config::FactoryContext) const override {
    const auto& proto = static_cast<const Proto&>(message);
    Settings settings;
    if (proto.has_quality()) settings.quality = proto.quality().value();
    settings.mode = modeOf(proto.encoder_mode());
    if (proto.has_window_bits()) settings.window_bits = proto.window_bits().value();
    if (proto.has_input_block_bits()) settings.block_bits = proto.input_block_bits().value();
    settings.no_literal_contexts = proto.disable_literal_context_modeling();
    if (proto.has_chunk_size()) settings.chunk_size = proto.chunk_size().value();
    return std::make_shared<Library>(settings);
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.compressors.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::compression::compressor::brotli
