#include "source/extensions/filters/http/compressor/factory.h"

#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "envoy/extensions/filters/http/compressor/v3/compressor.pb.h"
#include "source/config/compression_factory.h"
#include "source/config/http_filter_factory.h"
#include "source/config/runtime_compiler.h"
#include "source/extensions/filters/http/compressor/filter.h"

namespace sluice::extensions::http_filters::compressor {
namespace {

namespace v3 = envoy::extensions::filters::http::compressor::v3;
using envoy::config::core::v3::RuntimeFeatureFlag;
using envoy::config::core::v3::TypedExtensionConfig;

constexpr uint32_t kDefaultMinLength = 30;
constexpr const char* kDefaultTypes[] = {"application/javascript",
                                         "application/json",
                                         "application/xhtml+xml",
                                         "image/svg+xml",
                                         "text/css",
                                         "text/html",
                                         "text/plain",
                                         "text/xml"};

std::shared_ptr<const Library> compileLibrary(const TypedExtensionConfig& config,
                                              const config::FactoryContext& context) {
  auto library = context.services.registry.compressors.compile(config.typed_config(), context.child("typed_config"));
  if (library == nullptr) return nullptr;
  return std::make_shared<Library>(std::move(library), context.services.local_slots);
}

bool isEnabled(bool given, const RuntimeFeatureFlag& flag, const config::FactoryContext& context) {
  return !given || config::compileFlag(flag, context.services.runtime.get());
}

template <typename Types>
void setTypes(Direction& direction, const Types& types) {
  for (const std::string& type : types) direction.content_types.push_back(absl::AsciiStrToLower(type));
  if (types.empty()) direction.content_types.assign(std::begin(kDefaultTypes), std::end(kDefaultTypes));
}

void setMinLength(Direction& direction, uint32_t length) {
  direction.min_length = length > 0 ? length : kDefaultMinLength;
}

void setCommon(Direction& direction, const v3::Compressor::CommonDirectionConfig& common,
               const config::FactoryContext& context) {
  direction.enabled = isEnabled(common.has_enabled(), common.enabled(), context);
  setMinLength(direction, common.min_content_length().value());
  setTypes(direction, common.content_type());
}

void setStats(Direction& direction, const std::string& prefix, const observability::StatsScope& stats) {
  direction.compressed = stats->counter(prefix + "compressed");
  direction.not_compressed = stats->counter(prefix + "not_compressed");
  direction.uncompressed_bytes = stats->counter(prefix + "total_uncompressed_bytes");
  direction.compressed_bytes = stats->counter(prefix + "total_compressed_bytes");
  direction.too_small = stats->counter(prefix + "content_length_too_small");
}

ResponseStats responseStats(const std::string& prefix, const observability::StatsScope& stats) {
  return {.no_accept_header = stats->counter(prefix + "no_accept_header"),
          .header_identity = stats->counter(prefix + "header_identity"),
          .header_compressor_used = stats->counter(prefix + "header_compressor_used"),
          .header_compressor_overshadowed = stats->counter(prefix + "header_compressor_overshadowed"),
          .header_wildcard = stats->counter(prefix + "header_wildcard"),
          .header_not_valid = stats->counter(prefix + "header_not_valid"),
          .not_compressed_etag = stats->counter(prefix + "not_compressed_etag")};
}

void setResponse(Settings& settings, const v3::Compressor::ResponseDirectionConfig& config,
                 const config::FactoryContext& context) {
  setCommon(settings.response, config.common_config(), context);
  settings.disable_on_etag = config.disable_on_etag_header();
  settings.weaken_etag = config.weaken_etag_on_compress();
  settings.remove_accept_encoding = config.remove_accept_encoding_header();
  settings.status_header = config.status_header_enabled();
  for (const uint32_t status : config.uncompressible_response_codes()) settings.uncompressible.set(status);
}

// By the names that fields had before directions had messages of their own.
void setOldResponse(Settings& settings, const v3::Compressor& proto, const config::FactoryContext& context) {
  settings.response.enabled = isEnabled(proto.has_runtime_enabled(), proto.runtime_enabled(), context);
  setMinLength(settings.response, proto.content_length().value());
  setTypes(settings.response, proto.content_type());
  settings.disable_on_etag = proto.disable_on_etag_header();
  settings.remove_accept_encoding = proto.remove_accept_encoding_header();
}

class Factory : public config::RoutedHttpFilterOf<v3::Compressor, v3::CompressorPerRoute> {
 public:
  std::string_view upstreamRefusal() const override { return {}; }

  config::HttpFilterPtr makeFilter(const v3::Compressor& proto, const config::FactoryContext& context) const override {
    const config::ErrorMark mark(context.at);
    Settings settings;
    settings.library = compileLibrary(proto.compressor_library(), context.child("compressor_library"));
    setCommon(settings.request, proto.request_direction_config().common_config(), context);
    settings.request.enabled &= proto.has_request_direction_config();
    const bool has_response = proto.has_response_direction_config();
    has_response ? setResponse(settings, proto.response_direction_config(), context)
                 : setOldResponse(settings, proto, context);
    settings.choose_first = proto.choose_first();
    if (mark.hit() || settings.library == nullptr) return nullptr;
    const std::string prefix = context.owner + "compressor." + proto.compressor_library().name() + "." +
                               std::string(settings.library->library().statPrefix());
    setStats(settings.request, prefix + "request.", context.stats);
    setStats(settings.response, has_response ? prefix + "response." : prefix, context.stats);
    settings.response_stats = responseStats(prefix, context.stats);
    return std::make_shared<FilterFactory>(std::move(settings));
  }

  config::RouteConfigPtr makeRouteConfig(const v3::CompressorPerRoute& proto,
                                         const config::FactoryContext& context) const override {
    auto out = std::make_shared<RouteSettings>();
    if (proto.disabled()) out->response_enabled = false;
    const v3::CompressorOverrides& overrides = proto.overrides();
    if (overrides.has_response_direction_config()) {
      out->response_enabled = true;
      const v3::ResponseDirectionOverrides& response = overrides.response_direction_config();
      if (response.has_remove_accept_encoding_header()) {
        out->remove_accept_encoding = response.remove_accept_encoding_header().value();
      }
    }
    if (overrides.has_compressor_library()) {
      out->library =
          compileLibrary(overrides.compressor_library(), context.child("overrides").child("compressor_library"));
    }
    return out;
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::compressor
