#include "source/extensions/filters/http/on_demand/factory.h"

#include <memory>

#include "envoy/extensions/filters/http/on_demand/v3/on_demand.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/extensions/filters/http/on_demand/filter.h"

namespace sluice::extensions::http_filters::on_demand {
namespace {

using envoy::extensions::filters::http::on_demand::v3::OnDemand;

class Factory : public config::HttpFilterOf<OnDemand> {
 public:
  bool awaitsRoutes() const override { return true; }

  config::HttpFilterPtr makeFilter(const OnDemand&, const config::FactoryContext&) const override {
    return std::make_shared<FilterFactory>();
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::on_demand
