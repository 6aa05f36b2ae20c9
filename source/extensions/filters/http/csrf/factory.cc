#include "source/extensions/filters/http/csrf/factory.h"

#include <memory>

#include "envoy/extensions/filters/http/csrf/v3/csrf.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/route_texts.h"
#include "source/config/runtime_compiler.h"
#include "source/extensions/filters/http/csrf/filter.h"

namespace sluice::extensions::http_filters::csrf {
namespace {

using Proto = envoy::extensions::filters::http::csrf::v3::CsrfPolicy;

Policy compilePolicy(const Proto& proto, const config::FactoryContext& context) {
  const runtime::Snapshot* snapshot = context.services.runtime.get();
  Policy out;
  out.enabled = config::compileFraction(proto.filter_enabled(), snapshot);
  if (proto.has_shadow_enabled()) out.shadow = config::compileFraction(proto.shadow_enabled(), snapshot);
  config::Regexes regexes;
  for (int i = 0; i < proto.additional_origins_size(); ++i) {
    const config::Context at = context.at.child("additional_origins", static_cast<size_t>(i));
    out.additional_origins.push_back(regexes.stringMatcher(proto.additional_origins(i), at));
  }
  return out;
}

class Factory : public config::RoutedHttpFilterOf<Proto> {
 public:
  config::HttpFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    const auto counter = [&](const char* name) { return context.stats->counter(context.owner + "csrf." + name); };
    return std::make_shared<FilterFactory>(Settings{compilePolicy(proto, context), counter("missing_source_origin"),
                                                    counter("request_invalid"), counter("request_valid")});
  }

  config::RouteConfigPtr makeRouteConfig(const Proto& proto, const config::FactoryContext& context) const override {
    return std::make_shared<RouteSettings>(compilePolicy(proto, context));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::csrf
