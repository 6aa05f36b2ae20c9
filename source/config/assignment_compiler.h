// ClusterLoadAssignment -> Assignment, for EDS and for kinds of clusters. Thread: main.
#pragma once

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "source/config/errors.h"
#include "source/upstream/cluster/assignment.h"

namespace sluice::config {

enum class EndpointNames : uint8_t {
  kAddressesOnly,  // STATIC, EDS: a host name is an error
  kResolved,       // clusters by DNS: a host name is left for DNS
};

upstream::cluster::Health healthOf(envoy::config::core::v3::HealthStatus status);

upstream::cluster::Assignment compileAssignment(const envoy::config::endpoint::v3::ClusterLoadAssignment& assignment,
                                                EndpointNames names, const Context& context);

// The load_assignment of a cluster whose endpoints stand there; `context` stands at the cluster.
upstream::cluster::Assignment compileOwnAssignment(const envoy::config::cluster::v3::Cluster& cluster,
                                                   EndpointNames names, const Context& context);

}  // namespace sluice::config
