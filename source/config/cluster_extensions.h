// The extensions that a cluster is made of: where its hosts come from, and how one of them is chosen.
//
// Thread: main. As extensions.h says of all factories.
#pragma once

#include <memory>
#include <optional>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "source/config/factory.h"
#include "source/config/services.h"
#include "source/upstream/cluster/host_source.h"
#include "source/upstream/lb/policy.h"

namespace sluice::config {

// A load-balancing policy, by an entry of `load_balancing_policy` or by its old name in `lb_policy`.
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

// A kind of cluster by its `type`; `context` stands at the cluster.
class ClusterTypeFactory {
 public:
  using Cluster = envoy::config::cluster::v3::Cluster;
  using ClusterKindPtr = std::shared_ptr<const upstream::cluster::ClusterKind>;

  virtual ~ClusterTypeFactory() = default;
  virtual ClusterKindPtr compile(const Cluster& cluster, FactoryContext context) const = 0;
};

// A kind of cluster by its `cluster_type`, whose typed_config is `message`; `context` stands at that.
class ClusterKindFactory : public ExtensionFactory {
 public:
  using Cluster = ClusterTypeFactory::Cluster;
  using ClusterKindPtr = ClusterTypeFactory::ClusterKindPtr;

  virtual ClusterKindPtr compile(const google::protobuf::Message& message, const Cluster& cluster,
                                 FactoryContext context) const = 0;
};

}  // namespace sluice::config
