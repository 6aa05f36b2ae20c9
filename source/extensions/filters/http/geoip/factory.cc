#include "source/extensions/filters/http/geoip/factory.h"

#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/geoip/v3/geoip.pb.h"
#include "source/config/geoip_provider_factory.h"
#include "source/config/http_filter_factory.h"
#include "source/config/route_texts.h"
#include "source/extensions/filters/http/geoip/filter.h"

namespace sluice::extensions::http_filters::geoip {
namespace {

using Proto = envoy::extensions::filters::http::geoip::v3::Geoip;

void compileProvider(const envoy::config::core::v3::TypedExtensionConfig& proto, const config::FactoryContext& context,
                     Settings& out) {
  out.provider = context.services.registry.geoip_providers.compile(proto.typed_config(), context.child("typed_config"));
  if (!out.provider) return;
  for (const std::string& name : out.provider->names()) {
    out.headers.push_back(absl::AsciiStrToLower(name));
    if (!config::isSettableHeader(out.headers.back())) {
      context.at.error(
          absl::StrCat("tells something as \"", name, "\", which is no header that may be set; name another"));
    }
  }
}

void compileAddress(const Proto& proto, const config::Context& at, Settings& out) {
  out.trusted_hops = proto.xff_config().xff_num_trusted_hops();
  if (!proto.has_custom_header_config()) return;
  if (proto.has_xff_config()) at.error("has both xff_config and custom_header_config; keep one of them");
  out.address_header = absl::AsciiStrToLower(proto.custom_header_config().header_name());
  if (!config::isToken(out.address_header)) {
    at.child("custom_header_config").child("header_name").error("is no name of a header");
  }
}

class Factory : public config::HttpFilterOf<Proto> {
 public:
  config::HttpFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    Settings settings;
    compileProvider(proto.provider(), context.child("provider"), settings);
    compileAddress(proto, context.at, settings);
    settings.total = context.stats->counter(context.owner + "geoip.total");
    settings.skipped = context.stats->counter(context.owner + "geoip.skipped");
    return std::make_shared<FilterFactory>(std::move(settings));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::geoip
