// The kind of extension that chooses one of a cluster's hosts.
#pragma once

#include <memory>
#include <optional>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "source/config/factory.h"
#include "source/config/services.h"
#include "source/upstream/lb/policy.h"

namespace sluice::config {

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
};

}  // namespace sluice::config
