// Connections ahead of requests. (proto: envoy.config.cluster.v3.Cluster.PreconnectPolicy)
//
// Thread: main. Run after validate(), once the rest of the cluster is compiled; `context` stands at the cluster.
#pragma once

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "source/config/errors.h"
#include "source/upstream/cluster/cluster_config.h"

namespace sluice::config {

void compilePreconnectPolicy(const envoy::config::cluster::v3::Cluster& cluster, const Context& context,
                             upstream::cluster::ClusterConfig& out);

}  // namespace sluice::config
