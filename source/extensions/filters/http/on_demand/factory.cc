#include "source/extensions/filters/http/on_demand/factory.h"

#include <memory>

#include "envoy/extensions/filters/http/on_demand/v3/on_demand.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/extensions/filters/http/on_demand/filter.h"

namespace sluice::extensions::http_filters::on_demand {
namespace {

using envoy::extensions::filters::http::on_demand::v3::OnDemand;

class Factory : public config::HttpFilterConfigFactory {
 public:
  std::string_view configType() const override { return OnDemand::descriptor()->full_name(); }
  bool awaitsRoutes() const override { return true; }

  std::shared_ptr<const filter::HttpFilterFactory> compile(const google::protobuf::Message&,
                                                           config::FactoryContext) const override {
    return std::make_shared<FilterFactory>();
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::on_demand
