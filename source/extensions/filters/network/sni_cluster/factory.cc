#include "source/extensions/filters/network/sni_cluster/factory.h"

#include "envoy/extensions/filters/network/sni_cluster/v3/sni_cluster.pb.h"
#include "source/config/connection_filter_factory.h"
#include "source/extensions/filters/network/sni_cluster/filter.h"

namespace sluice::extensions::network_filters::sni_cluster {
namespace {

using Proto = envoy::extensions::filters::network::sni_cluster::v3::SniCluster;

class Factory : public config::ConnectionFilterOf<Proto> {
 public:
  config::ConnectionFilterPtr makeFilter(const Proto&, const config::FactoryContext&) const override {
    return std::make_shared<SniCluster>();
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.connection_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::network_filters::sni_cluster
