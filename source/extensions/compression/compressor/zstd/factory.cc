#include "source/extensions/compression/compressor/zstd/factory.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/compression/zstd/compressor/v3/zstd.pb.h"
#include "source/config/compression_factory.h"
#include "source/config/values.h"
#include "source/extensions/compression/compressor/zstd/zstd.h"

namespace sluice::extensions::compression::compressor::zstd {
namespace {

using Proto = envoy::extensions::compression::zstd::compressor::v3::Zstd;

// Whether libzstd can use it.
bool isDictionary(const std::string& bytes, int level) {
  ZSTD_CDict* dictionary = ZSTD_createCDict(bytes.data(), bytes.size(), level);
  ZSTD_freeCDict(dictionary);
  return dictionary != nullptr;
}

class Factory : public config::CompressorConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const api::CompressorLibrary> compile(const google::protobuf::Message& message,
                                                        config::FactoryContext context) const override {
    const config::ErrorMark mark(context.at);
    const auto& proto = static_cast<const Proto&>(message);
    Settings settings;
    if (const uint32_t level = proto.compression_level().value(); level > static_cast<uint32_t>(ZSTD_maxCLevel())) {
      context.at.child("compression_level").error(absl::StrCat("is ", level, "; levels go up to ", ZSTD_maxCLevel()));
    } else if (level > 0) {
      settings.level = static_cast<int>(level);
    }
    settings.checksum = proto.enable_checksum();
    settings.strategy = proto.strategy();  // the same numbers
    if (proto.has_chunk_size()) settings.chunk_size = proto.chunk_size().value();
    if (proto.has_dictionary()) readDictionary(proto.dictionary(), context.at.child("dictionary"), settings);
    return mark.hit() ? nullptr : std::make_shared<Library>(std::move(settings));
  }

 private:
  static void readDictionary(const envoy::config::core::v3::DataSource& source, const config::Context& at,
                             Settings& settings) {
    std::optional<std::string> bytes = config::compileDataSource(source, at);
    if (!bytes) return;
    if (bytes->empty() || !isDictionary(*bytes, settings.level)) {
      return at.error("is not a dictionary of zstd; make one with `zstd --train`");
    }
    settings.dictionary = std::move(*bytes);
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.compressors.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::compression::compressor::zstd
