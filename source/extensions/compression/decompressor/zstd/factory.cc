#include "source/extensions/compression/decompressor/zstd/factory.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/compression/zstd/decompressor/v3/zstd.pb.h"
#include "source/config/compression_factory.h"
#include "source/config/values.h"
#include "source/extensions/compression/decompressor/zstd/zstd.h"

namespace sluice::extensions::compression::decompressor::zstd {
namespace {

using Proto = envoy::extensions::compression::zstd::decompressor::v3::Zstd;

class Factory : public config::DecompressorConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const api::DecompressorLibrary> compile(const google::protobuf::Message& message,
                                                          config::FactoryContext context) const override {
    const config::ErrorMark mark(context.at);
    const auto& proto = static_cast<const Proto&>(message);
    Settings settings;
    if (proto.has_chunk_size()) settings.chunk_size = proto.chunk_size().value();
    for (int i = 0; i < proto.dictionaries_size(); ++i) {
      readDictionary(proto.dictionaries(i), context.at.child("dictionaries", static_cast<size_t>(i)),
                     settings.dictionaries);
    }
    return mark.hit() ? nullptr : std::make_shared<Library>(std::move(settings));
  }

 private:
  static void readDictionary(const envoy::config::core::v3::DataSource& source, const config::Context& at,
                             Dictionaries& dictionaries) {
    const std::optional<std::string> bytes = config::compileDataSource(source, at);
    if (!bytes) return;
    std::shared_ptr<ZSTD_DDict> dictionary(ZSTD_createDDict(bytes->data(), bytes->size()), ZSTD_freeDDict);
    const uint32_t number = dictionary == nullptr ? 0 : ZSTD_getDictID_fromDDict(dictionary.get());
    if (number == 0) {
      return at.error("is not a dictionary of zstd with a number that bodies can name; make one with `zstd --train`");
    }
    if (!dictionaries.emplace(number, std::move(dictionary)).second) {
      at.error(absl::StrCat("has the number ", number, ", as another one before it; remove one of them"));
    }
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.decompressors.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::compression::decompressor::zstd
