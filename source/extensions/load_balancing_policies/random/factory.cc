#include "source/extensions/load_balancing_policies/random/factory.h"

#include "envoy/extensions/load_balancing_policies/random/v3/random.pb.h"
#include "source/config/lb_policy_factory.h"
#include "source/config/zone_aware.h"
#include "source/extensions/load_balancing_policies/random/policy.h"

namespace sluice::extensions::load_balancing_policies::random {
namespace {

using Proto = envoy::extensions::load_balancing_policies::random::v3::Random;
using envoy::config::cluster::v3::Cluster;

class Factory : public config::LbPolicyFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::optional<Cluster::LbPolicy> legacyName() const override { return Cluster::RANDOM; }

  LbPolicyPtr compile(const google::protobuf::Message& message, config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    const auto& localities = proto.locality_lb_config();
    return std::make_shared<Policy>(localities.has_locality_weighted_lb_config(),
                                    localities.zone_aware_lb_config().fail_traffic_on_panic(),
                                    config::zonesOf(localities, context.child("locality_lb_config")));
  }
  LbPolicyPtr compileLegacy(const Cluster& cluster, config::FactoryContext context) const override {
    return std::make_shared<Policy>(false, false,
                                    config::zonesOf(cluster.common_lb_config(), context.child("common_lb_config")));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.lb_policies.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::load_balancing_policies::random
