#include "source/extensions/clusters/eds/factory.h"

#include "source/config/cluster_kind_factory.h"
#include "source/config/values.h"
#include "source/extensions/clusters/eds/source.h"

namespace sluice::extensions::clusters::eds {
namespace {

class Factory : public config::ClusterTypeFactory {
 public:
  ClusterKindPtr compile(const Cluster& cluster, config::FactoryContext factory) const override {
    const config::Context& context = factory.at;
    const Cluster::EdsClusterConfig& eds = cluster.eds_cluster_config();
    if (!eds.has_eds_config()) {
      context.child("eds_cluster_config")
          .error("a cluster of type EDS needs eds_config: where its endpoints come from");
    }
    if (cluster.has_load_assignment()) {
      context.child("load_assignment").warn("not used: the endpoints of a cluster of type EDS come from eds_config");
    }
    Settings out;
    out.cluster = cluster.name();
    out.source = eds.eds_config().SerializeAsString();
    out.service_name = eds.service_name().empty() ? cluster.name() : eds.service_name();
    if (eds.eds_config().has_initial_fetch_timeout()) {
      out.initial_fetch_timeout = config::compileMilliseconds(eds.eds_config().initial_fetch_timeout());
    }
    return std::make_shared<Kind>(std::move(out));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.cluster_types.emplace(config::ClusterTypeFactory::Cluster::EDS, std::make_unique<Factory>());
}

}  // namespace sluice::extensions::clusters::eds
