#include "source/extensions/filters/http/decompressor/factory.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/decompressor/v3/decompressor.pb.h"
#include "source/config/compression_factory.h"
#include "source/config/http_filter_factory.h"
#include "source/config/runtime_compiler.h"
#include "source/extensions/filters/http/decompressor/filter.h"
#include "source/http/chars.h"

namespace sluice::extensions::http_filters::decompressor {
namespace {

namespace v3 = envoy::extensions::filters::http::decompressor::v3;

std::shared_ptr<const Library> compileLibrary(const v3::Decompressor& proto, const config::FactoryContext& context) {
  auto library = context.services.registry.decompressors.compile(
      proto.decompressor_library().typed_config(), context.child("decompressor_library").child("typed_config"));
  if (library == nullptr) return nullptr;
  return std::make_shared<Library>(std::move(library), context.services.local_slots);
}

Direction compileDirection(const v3::Decompressor::CommonDirectionConfig& proto, const std::string& prefix,
                           const config::FactoryContext& context) {
  return {.enabled = !proto.has_enabled() || config::compileFlag(proto.enabled(), context.services.runtime.get()),
          .ignore_no_transform = proto.ignore_no_transform_header(),
          .decompressed = context.stats->counter(prefix + "decompressed"),
          .not_decompressed = context.stats->counter(prefix + "not_decompressed"),
          .uncompressed_bytes = context.stats->counter(prefix + "total_uncompressed_bytes"),
          .compressed_bytes = context.stats->counter(prefix + "total_compressed_bytes")};
}

class Factory : public config::HttpFilterOf<v3::Decompressor> {
 public:
  std::string_view upstreamRefusal() const override { return {}; }

  config::HttpFilterPtr makeFilter(const v3::Decompressor& proto,
                                   const config::FactoryContext& context) const override {
    Settings settings;
    settings.library = compileLibrary(proto, context);
    if (settings.library == nullptr) return nullptr;
    const std::string& name = proto.decompressor_library().name();
    const std::string trailer = absl::StrCat("x-envoy-decompressor-", absl::AsciiStrToLower(name), "-");
    if (!std::all_of(trailer.begin(), trailer.end(), [](char c) { return http::tokenLower(c) != 0; })) {
      context.at.child("decompressor_library")
          .child("name")
          .error(absl::StrCat("\"", name, "\" is a part of the names of trailers; use letters, digits, '-' and '_'"));
      return nullptr;
    }
    settings.compressed_trailer = trailer + "compressed-bytes";
    settings.uncompressed_trailer = trailer + "uncompressed-bytes";
    const compression::DecompressorLibrary& library = settings.library->library();
    const std::string prefix = context.owner + "decompressor." + name + "." + std::string(library.statPrefix());
    settings.request = compileDirection(proto.request_direction_config().common_config(), prefix + "request.", context);
    settings.response =
        compileDirection(proto.response_direction_config().common_config(), prefix + "response.", context);
    const v3::Decompressor::RequestDirectionConfig& request = proto.request_direction_config();
    if (request.has_advertise_accept_encoding()) settings.advertise = request.advertise_accept_encoding().value();
    for (const std::string_view error : library.errors()) {
      settings.errors.push_back(context.stats->counter(prefix + "decompressor_library." + std::string(error)));
    }
    return std::make_shared<FilterFactory>(std::move(settings));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::decompressor
