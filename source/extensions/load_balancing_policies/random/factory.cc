#include "source/extensions/load_balancing_policies/random/factory.h"

#include "envoy/extensions/load_balancing_policies/random/v3/random.pb.h"
#include "source/config/lb_policy_factory.h"
#include "source/extensions/load_balancing_policies/random/policy.h"

namespace sluice::extensions::load_balancing_policies::random {

using Proto = envoy::extensions::load_balancing_policies::random::v3::Random;
using envoy::config::cluster::v3::Cluster;

void registerFactory(config::Registry& registry) {
  registry.lb_policies.add(std::make_unique<config::PlainLbPolicyFactory<Policy, Proto, Cluster::RANDOM>>());
}

}  // namespace sluice::extensions::load_balancing_policies::random
