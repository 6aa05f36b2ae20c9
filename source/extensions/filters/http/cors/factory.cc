#include "source/extensions/filters/http/cors/factory.h"

#include <memory>

#include "envoy/extensions/filters/http/cors/v3/cors.pb.h"
#include "source/config/cors_policy.h"
#include "source/config/http_filter_factory.h"
#include "source/extensions/filters/http/cors/filter.h"

namespace sluice::extensions::http_filters::cors {
namespace {

namespace v3 = envoy::extensions::filters::http::cors::v3;

class Factory : public config::HttpFilterConfigFactory {
 public:
  std::string_view configType() const override { return v3::Cors::descriptor()->full_name(); }
  std::string_view routeConfigType() const override { return v3::CorsPolicy::descriptor()->full_name(); }

  std::shared_ptr<const filter::HttpFilterFactory> compile(const google::protobuf::Message&,
                                                           config::FactoryContext context) const override {
    const std::string base = context.owner + "cors.";
    return std::make_shared<FilterFactory>(Settings{context.services.filter_slots.slotOf(route::kCorsSlot),
                                                    context.stats->counter(base + "origin_valid"),
                                                    context.stats->counter(base + "origin_invalid")});
  }

  std::shared_ptr<const route::PerFilterConfig> compileRoute(const google::protobuf::Message& message,
                                                             config::FactoryContext context) const override {
    const config::ErrorMark mark(context.at);
    config::Regexes regexes;
    auto policy = config::compileCorsPolicy(static_cast<const v3::CorsPolicy&>(message), context.at, regexes,
                                            context.services.runtime.get());
    if (mark.hit()) return nullptr;
    return policy;
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::cors
