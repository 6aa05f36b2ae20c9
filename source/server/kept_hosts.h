// Hosts that left the endpoints of a cluster while active checks find them well: they stay until a check fails them, so
// that a source of endpoints that loses sight of hosts for a while takes nothing away from those who need them. (proto:
// Cluster.ignore_health_on_host_removal, unless it is set) Thread: main.
#pragma once

#include "source/upstream/cluster/assignment.h"
#include "source/upstream/cluster/cluster_config.h"
#include "source/upstream/cluster/host_set.h"
#include "source/upstream/cluster/host_source.h"

namespace sluice::server {

// What hosts are to be built of: the endpoints as they were told last, and behind them those of `before` that left and
// stay. `before`: the hosts as they were built last by the same configuration; null: there were none.
upstream::cluster::AssignmentPtr withKeptHosts(upstream::cluster::AssignmentPtr told,
                                               const upstream::cluster::HostSet* before,
                                               const upstream::cluster::ClusterConfig& config);

}  // namespace sluice::server
