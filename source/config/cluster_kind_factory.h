// The kind of extension that says where a cluster's hosts come from.
#pragma once

#include <memory>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "source/config/factory.h"
#include "source/config/services.h"
#include "source/upstream/cluster/host_source.h"

namespace sluice::config {

// By the cluster's `type`; `context` stands at the cluster.
class ClusterTypeFactory {
 public:
  using Cluster = envoy::config::cluster::v3::Cluster;
  using ClusterKindPtr = std::shared_ptr<const upstream::cluster::ClusterKind>;

  virtual ~ClusterTypeFactory() = default;
  virtual ClusterKindPtr compile(const Cluster& cluster, FactoryContext context) const = 0;
};

// By its `cluster_type`, whose typed_config is `message`; `context` stands at that, `cluster_at` at the cluster.
class ClusterKindFactory : public ExtensionFactory {
 public:
  using Cluster = ClusterTypeFactory::Cluster;
  using ClusterKindPtr = ClusterTypeFactory::ClusterKindPtr;

  virtual ClusterKindPtr compile(const google::protobuf::Message& message, const Cluster& cluster,
                                 FactoryContext context, const Context& cluster_at) const = 0;
};

}  // namespace sluice::config
