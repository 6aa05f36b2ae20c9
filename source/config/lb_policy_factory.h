// The kind of extension that chooses one of a cluster's hosts.
#pragma once

#include <memory>
#include <optional>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "source/config/factory.h"
#include "source/config/services.h"
#include "source/upstream/lb/hash_tier.h"
#include "source/upstream/lb/policy.h"

namespace sluice::config {

// Of one of the messages of that name.
template <typename Message>
upstream::lb::ConsistentHashing consistentHashingOf(const Message& proto) {
  return {proto.use_hostname_for_hashing(), proto.hash_balance_factor().value()};
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

// Of a policy whose only setting is whether localities have weights, with which it is made.
template <typename Policy, typename Proto, LbPolicyFactory::Cluster::LbPolicy kLegacyName>
class PlainLbPolicyFactory final : public LbPolicyFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::optional<Cluster::LbPolicy> legacyName() const override { return kLegacyName; }

  LbPolicyPtr compile(const google::protobuf::Message& message, FactoryContext) const override {
    const auto& proto = static_cast<const Proto&>(message);
    return std::make_shared<Policy>(proto.locality_lb_config().has_locality_weighted_lb_config());
  }
  LbPolicyPtr compileLegacy(const Cluster&, FactoryContext) const override { return std::make_shared<Policy>(); }
};

// The first policy of the list that is known; null after an error. `context` stands at the list.
LbPolicyFactory::LbPolicyPtr compileLbPolicies(const envoy::config::cluster::v3::LoadBalancingPolicy& list,
                                               const FactoryContext& context);

}  // namespace sluice::config
