#include "source/extensions/filters/http/on_demand/factory.h"

#include <memory>

#include "envoy/extensions/filters/http/on_demand/v3/on_demand.pb.h"
#include "source/config/cluster_sources.h"
#include "source/config/http_filter_factory.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/on_demand/filter.h"

namespace sluice::extensions::http_filters::on_demand {
namespace {

using envoy::extensions::filters::http::on_demand::v3::OnDemand;
using envoy::extensions::filters::http::on_demand::v3::PerRouteConfig;

// `Proto`: either.
template <typename Proto>
Settings compileSettings(const Proto& proto, const config::FactoryContext& context) {
  Settings out;
  if (!proto.has_odcds()) return out;
  const config::Context at = context.at.child("odcds").child("source");
  out.clusters = config::compileClusterSource(proto.odcds().source(), at, context.services);
  if (proto.odcds().has_timeout()) out.cluster_timeout = config::compileMilliseconds(proto.odcds().timeout());
  return out;
}

class Factory : public config::RoutedHttpFilterOf<OnDemand, PerRouteConfig> {
 public:
  bool awaitsRoutes() const override { return true; }

  config::HttpFilterPtr makeFilter(const OnDemand& proto, const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(compileSettings(proto, context));
  }
  config::RouteConfigPtr makeRouteConfig(const PerRouteConfig& proto,
                                         const config::FactoryContext& context) const override {
    return std::make_shared<route::RouteSettings<Settings>>(compileSettings(proto, context));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::on_demand
