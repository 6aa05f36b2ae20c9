// What of a cluster's connections a change of its hosts ends: those to hosts that left (removedHosts()), or all.
#pragma once

#include "source/upstream/cluster/cluster_config.h"
#include "source/upstream/cluster/host_set.h"

namespace sluice::upstream::cluster {

// Whether connections to all hosts are made anew. (proto: CommonLbConfig.close_connections_on_host_set_change)
inline bool renewsPools(const HostChanges& rules, const HostSet& before, const HostSet& after) {
  return rules.close_on_change && !sameHosts(before, after);
}

}  // namespace sluice::upstream::cluster
