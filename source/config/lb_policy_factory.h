// The kind of extension that chooses one of a cluster's hosts.
#pragma once

#include <memory>
#include <optional>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "source/config/factory.h"
#include "source/config/runtime_compiler.h"
#include "source/config/services.h"
#include "source/config/values.h"
#include "source/upstream/lb/hash_tier.h"
#include "source/upstream/lb/policy.h"
#include "source/upstream/lb/slow_start.h"

namespace sluice::config {

// Of one of the messages of that name.
template <typename Message>
upstream::lb::ConsistentHashing consistentHashingOf(const Message& proto) {
  return {proto.use_hostname_for_hashing(), proto.hash_balance_factor().value()};
}

// Of one of the messages of that name; `context` stands at it.
template <typename Message>
upstream::lb::SlowStart slowStartOf(const Message& proto, const FactoryContext& context) {
  upstream::lb::SlowStart out;
  if (proto.has_slow_start_window()) out.window = compileMilliseconds(proto.slow_start_window());
  if (proto.has_aggression()) out.aggression = compileNumber(proto.aggression(), context.services.runtime.get());
  if (!(out.aggression > 0)) context.at.child("aggression").error("has to be more than 0");
  if (proto.has_min_weight_percent()) out.least_factor = proto.min_weight_percent().value() / 100;
  return out;
}

// By an entry of `load_balancing_policy`, or by its old name in `lb_policy`.
class LbPolicyFactory : public ExtensionFactory {
 public:
  using Cluster = envoy::config::cluster::v3::Cluster;
  using LbPolicyPtr = std::shared_ptr<const upstream::lb::LbPolicy>;

  virtual LbPolicyPtr compile(const google::protobuf::Message& message, FactoryContext context) const = 0;

  // Not set: it has no old name.
  virtual std::optional<Cluster::LbPolicy> legacyName() const { return std::nullopt; }
  // By its old name; `context` stands at the cluster.
  virtual LbPolicyPtr compileLegacy(const Cluster&, FactoryContext) const { return nullptr; }
  // Around another one, by `lb_subset_config`; `context` stands at the cluster.
  virtual LbPolicyPtr wrapLegacy(const Cluster&, LbPolicyPtr, FactoryContext) const { return nullptr; }
};

// The first policy of the list that is known; null after an error. `context` stands at the list.
LbPolicyFactory::LbPolicyPtr compileLbPolicies(const envoy::config::cluster::v3::LoadBalancingPolicy& list,
                                               const FactoryContext& context);

}  // namespace sluice::config
