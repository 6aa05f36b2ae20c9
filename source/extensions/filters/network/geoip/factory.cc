#include "source/extensions/filters/network/geoip/factory.h"

#include <memory>
#include <utility>

#include "envoy/extensions/filters/network/geoip/v3/geoip.pb.h"
#include "source/config/connection_filter_factory.h"
#include "source/config/geoip_provider_factory.h"
#include "source/config/value_format.h"
#include "source/extensions/filters/network/geoip/filter.h"

namespace sluice::extensions::network_filters::geoip {
namespace {

using Proto = envoy::extensions::filters::network::geoip::v3::Geoip;

class Factory : public config::ConnectionFilterOf<Proto> {
 public:
  config::ConnectionFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    config::FactoryContext of_provider = context.child("provider").child("typed_config");
    of_provider.owner = proto.stat_prefix();
    Settings settings;
    settings.provider = context.services.registry.geoip_providers.compile(proto.provider().typed_config(), of_provider);
    if (!proto.client_ip().empty()) {
      settings.client_ip = config::compileValueFormat(proto.client_ip(), context.at.child("client_ip"));
    }
    settings.total = context.stats->counter(proto.stat_prefix() + "geoip.total");
    settings.skipped = context.stats->counter(proto.stat_prefix() + "geoip.skipped");
    return std::make_shared<Geoip>(std::move(settings));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.connection_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::network_filters::geoip
