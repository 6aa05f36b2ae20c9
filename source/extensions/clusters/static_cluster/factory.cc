#include "source/extensions/clusters/static_cluster/factory.h"

#include "source/config/assignment_compiler.h"
#include "source/config/cluster_kind_factory.h"
#include "source/extensions/clusters/static_cluster/kind.h"

namespace sluice::extensions::clusters::static_cluster {
namespace {

class Factory : public config::ClusterTypeFactory {
 public:
  ClusterKindPtr compile(const Cluster& cluster, config::FactoryContext factory) const override {
    const config::Context& context = factory.at;
    return std::make_shared<Kind>(
        config::compileOwnAssignment(cluster, config::EndpointNames::kAddressesOnly, context));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.cluster_types.emplace(config::ClusterTypeFactory::Cluster::STATIC, std::make_unique<Factory>());
}

}  // namespace sluice::extensions::clusters::static_cluster
