#include "source/extensions/filters/http/cors/factory.h"

#include <memory>

#include "envoy/extensions/filters/http/cors/v3/cors.pb.h"
#include "source/config/cors_policy.h"
#include "source/config/http_filter_factory.h"
#include "source/extensions/filters/http/cors/filter.h"

namespace sluice::extensions::http_filters::cors {
namespace {

namespace v3 = envoy::extensions::filters::http::cors::v3;

class Factory : public config::RoutedHttpFilterOf<v3::Cors, v3::CorsPolicy> {
 public:
  config::HttpFilterPtr makeFilter(const v3::Cors&, const config::FactoryContext& context) const override {
    const std::string base = context.owner + "cors.";
    return std::make_shared<FilterFactory>(Settings{context.services.filter_slots.slotOf(route::kCorsSlot),
                                                    context.stats->counter(base + "origin_valid"),
                                                    context.stats->counter(base + "origin_invalid")});
  }

  config::RouteConfigPtr makeRouteConfig(const v3::CorsPolicy& proto,
                                         const config::FactoryContext& context) const override {
    config::Regexes regexes;
    return config::compileCorsPolicy(proto, context.at, regexes, context.services.runtime.get());
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::cors
