// The answers of a cluster by where they come from: the zone of this process and that of the host.
// (stats: cluster.NAME.zone.FROM.TO.upstream_rq_{completed,Nxx,NNN})
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "source/observability/late_counters.h"
#include "source/upstream/cluster/host_set.h"
#include "source/upstream/status_counts.h"

namespace sluice::upstream {

// Thread: the worker's.
class ZoneCounts {
 public:
  // `own`: the zone of this process (proto: Node.locality); empty: it is not known, and nothing is counted.
  ZoneCounts(observability::LateCounts& counts, std::string own) : counts_(counts), own_(std::move(own)) {}

  // Where answers of the host of that slot are counted; null: nowhere, as its zone is not known. Good as long as this.
  StatusCounts* of(const cluster::HostSet& hosts, cluster::HostSlot slot) {
    if (own_.empty()) return nullptr;
    if (by_slot_.empty()) learn(hosts);
    return slot < by_slot_.size() ? by_slot_[slot] : nullptr;
  }
  // The next host is one of another set.
  void forgetHosts() { by_slot_.clear(); }

 private:
  void learn(const cluster::HostSet& hosts);

  observability::LateCounts& counts_;
  const std::string own_;
  std::map<std::string, StatusCounts, std::less<>> zones_;  // by their names
  std::vector<StatusCounts*> by_slot_;                      // empty: of no set yet
};

}  // namespace sluice::upstream
