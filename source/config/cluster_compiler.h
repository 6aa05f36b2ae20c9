// Clusters and endpoint assignments as protos -> the immutable structs that the data path uses.
//
// Thread: main. Run after validate(): what the field rules of the protos refuse is not looked for again here, but does
// no harm either. Everything wrong is reported to `context`, by field path; the result is null if anything was.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "source/config/errors.h"
#include "source/config/services.h"
#include "source/upstream/cluster/cluster_config.h"

namespace sluice::config {

// `context` stands at the cluster ("static_resources.clusters[0]" or "").
std::shared_ptr<const upstream::cluster::ClusterConfig> compileCluster(
    const envoy::config::cluster::v3::Cluster& cluster, const Context& context, Services& services,
    InitTargets* init = nullptr);

// An EDS answer for a cluster whose ClusterConfig::eds_service_name is `service_name`.
std::optional<upstream::cluster::Assignment> compileEdsAssignment(
    const envoy::config::endpoint::v3::ClusterLoadAssignment& assignment, std::string_view service_name,
    const Context& context);

// What ClusterConfig::content_hash will be, without compiling: an update with an equal hash is skipped.
uint64_t clusterContentHash(const envoy::config::cluster::v3::Cluster& cluster);

}  // namespace sluice::config
