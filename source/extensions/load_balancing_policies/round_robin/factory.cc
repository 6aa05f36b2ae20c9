#include "source/extensions/load_balancing_policies/round_robin/factory.h"

#include "envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.pb.h"
#include "source/config/lb_policy_factory.h"
#include "source/extensions/load_balancing_policies/round_robin/policy.h"

namespace sluice::extensions::load_balancing_policies::round_robin {

using Proto = envoy::extensions::load_balancing_policies::round_robin::v3::RoundRobin;
using envoy::config::cluster::v3::Cluster;

void registerFactory(config::Registry& registry) {
  registry.lb_policies.add(std::make_unique<config::PlainLbPolicyFactory<Policy, Proto, Cluster::ROUND_ROBIN>>());
}

}  // namespace sluice::extensions::load_balancing_policies::round_robin
