// Picks the host of the next request: one balancer for each worker and cluster.
//
// Thread: the worker that owns it. Only update() allocates; pick() is O(1) for hosts of equal weight and O(log n) else.
// Randomness comes from the seed, so workers with different seeds start at different hosts.
//
//   ROUND_ROBIN    in turn; unequal weights by earliest deadline first
//   LEAST_REQUEST  equal weights: the least loaded of `choice_count` random hosts; unequal weights: earliest deadline
//                  first, where a request costs (active + 1) ^ active_request_bias / weight
//   RANDOM         in proportion to the weights (Envoy ignores them here)
//
// Active requests are this worker's own.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "source/base/random.h"
#include "source/observability/stats.h"
#include "source/upstream/cluster/cluster_config.h"
#include "source/upstream/cluster/host_set.h"
#include "source/upstream/lb/edf_schedule.h"

namespace sluice::upstream::lb {

class LoadBalancer {
 public:
  // Starts with no hosts. `seed`: different for each worker.
  static std::unique_ptr<LoadBalancer> make(const cluster::LbConfig& config, uint64_t seed);

  virtual ~LoadBalancer() = default;
  LoadBalancer(const LoadBalancer&) = delete;
  LoadBalancer& operator=(const LoadBalancer&) = delete;

  // A new set of hosts. Hosts that stay keep their active requests.
  void update(cluster::HostSetPtr hosts);

  // A slot of hosts(), or kNoHost when no host may get a request.
  cluster::HostSlot pick();

  // Around each request on a host. A host that has left the set meanwhile may be finished too.
  void requestStarted(cluster::HostSlot slot) { ++active_[slot]; }
  void requestFinished(const cluster::Host& host) {
    if (hosts_->host(host.slot()) == &host) --active_[host.slot()];
  }
  uint32_t activeRequests(cluster::HostSlot slot) const { return active_[slot]; }

  const cluster::HostSet& hosts() const { return *hosts_; }

  // What to count picks in that were among all hosts, healthy or not. (stats: lb_healthy_panic)
  void countPanics(observability::StatsCells& cells, observability::Counter panics) {
    cells_ = &cells;
    panics_ = panics;
  }

 protected:
  // What a policy keeps for one group of hosts.
  struct GroupState {
    const cluster::HostSet::Group* group = nullptr;
    uint64_t next = 0;                 // ROUND_ROBIN, equal weights
    EdfSchedule schedule;              // unequal weights
    std::vector<uint64_t> cumulative;  // RANDOM, unequal weights: sums of weights up to and with each member
  };

  explicit LoadBalancer(uint64_t seed) : random_(seed), hosts_(cluster::HostSet::empty()) {}

  virtual void prepare(GroupState& state) = 0;
  virtual cluster::HostSlot pickFrom(GroupState& state) = 0;

  // Every member once, at a random place in its first cycle.
  void scheduleByWeight(GroupState& state);

  base::Random random_;
  std::vector<uint32_t> active_;  // by slot

 private:
  struct TierState {
    uint32_t percent_up_to;  // shares of this and all earlier tiers
    bool panic = false;
    std::vector<GroupState> groups;
    EdfSchedule group_schedule;  // more than one group only
  };

  TierState& pickTier();
  GroupState& pickGroup(TierState& tier);

  observability::StatsCells* cells_ = nullptr;  // null: nobody counts
  observability::Counter panics_;
  cluster::HostSetPtr hosts_;  // never null
  std::vector<TierState> tiers_;
};

}  // namespace sluice::upstream::lb
