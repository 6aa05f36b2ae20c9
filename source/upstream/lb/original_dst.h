// The hosts of a cluster of type ORIGINAL_DST: one for each address that somebody wanted to go to.
//
// A host is made when it is first asked for and forgotten once nothing was sent to it for a cleanup interval. Each
// worker has its own. Thread: the worker that owns it. (proto: Cluster.OriginalDstLbConfig, Cluster.cleanup_interval)
#pragma once

#include <functional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/event/timer.h"
#include "source/http/headers.h"
#include "source/observability/stats.h"
#include "source/upstream/cluster/cluster_config.h"
#include "source/upstream/cluster/host.h"

namespace sluice::upstream::lb {

class OriginalDst {
 public:
  // More at one time are refused: addresses may come from requests.
  static constexpr size_t kMaxHosts = 65'536;

  struct Stats {
    observability::Counter host_invalid;  // an address that is none, or that leads back here
    observability::Gauge membership_total, membership_healthy;
  };
  // On whose behalf a host is wanted.
  struct Asker {
    net::Address destination = {};  // of the downstream connection; none: it has no IP address, or there is none
    bool redirected = false;        // `destination` is not where the connection was accepted
    const http::RequestHeaders* request = nullptr;
  };

  // `on_gone`: the host of the slot is forgotten; the slot is free afterwards.
  OriginalDst(event::TimerQueue& timers, const cluster::OriginalDstConfig& config, observability::StatsCells& cells,
              const Stats& stats, std::function<void(cluster::HostSlot)> on_gone);
  ~OriginalDst();

  // kNoHost: nobody says where to, or going there would come back here.
  cluster::HostSlot pick(const Asker& asker);

  // Around each request (or connection) on a host, which stays meanwhile.
  void requestStarted(cluster::HostSlot slot) { ++hosts_[slot].active; }
  void requestFinished(cluster::HostSlot slot) { --hosts_[slot].active; }

  size_t slotCount() const { return hosts_.size(); }
  const cluster::HostPtr& hostPtr(cluster::HostSlot slot) const { return hosts_[slot].host; }

 private:
  struct Entry {
    cluster::HostPtr host;  // null: the slot is free
    uint32_t active = 0;
    bool used = false;  // since the last sweep
  };

  net::Address target(const Asker& asker) const;
  void sweep();

  const cluster::OriginalDstConfig& config_;
  observability::StatsCells& cells_;
  const Stats stats_;
  const std::function<void(cluster::HostSlot)> on_gone_;
  std::vector<Entry> hosts_;
  std::vector<cluster::HostSlot> free_;
  absl::flat_hash_map<net::Address, cluster::HostSlot> by_address_;
  event::Timer sweep_;  // armed while there are hosts
};

}  // namespace sluice::upstream::lb
