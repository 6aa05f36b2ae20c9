// How the host of a request is chosen: what a load-balancing policy implements.
//
//   LbPolicy   the configured policy, immutable, of all threads
//   LbTables   what it makes of one set of hosts: once, on main, shared by all workers
//   LbPicker   one worker's: only what changes with each choice (a cursor, a schedule), over the shared tables
//
// Most policies take one member of a group of a tier (host_set.h) and derive their picker from TieredPicker, which does
// priorities, panic and localities. A policy that wants something else looks at the set, or makes hosts of its own.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "source/base/random.h"
#include "source/event/timer.h"
#include "source/observability/stats.h"
#include "source/upstream/cluster/host_set.h"
#include "source/upstream/lb/context.h"
#include "source/upstream/lb/host_table.h"
#include "source/upstream/lb/load_weights.h"
#include "source/upstream/lb/zone_stats.h"

namespace sluice::upstream::lb {

// Made by build() and read by the pickers of the same policy, which know what they really are.
class LbTables {
 public:
  virtual ~LbTables() = default;
};

// A set of hosts with what the cluster's policy made of it. Immutable; made on main.
struct PreparedHosts {
  cluster::HostSetPtr set;                 // never null
  std::shared_ptr<const LbTables> tables;  // null: the policy needs none
};

// What pickers count.
struct LbStats {
  observability::Counter healthy_panic;  // choices among all hosts, healthy or not
  observability::Counter host_invalid;   // an address that is none, or that leads back here
  observability::Gauge membership_total, membership_healthy;
  ZoneStats zones;
};

// What a picker has of its worker, and its cluster there. Outlives it.
struct LbWorker {
  event::TimerQueue& timers;
  observability::StatsCells& cells;
  const LbStats stats;
  base::Random random;  // its seed is another one on each worker
  HostTable hosts;

  // For each choice that falls to a tier in panic.
  void notePanic(const LbContext& context) {
    cells.add(stats.healthy_panic);
    context.panicked = true;
  }
};

// Thread: the worker's.
class LbPicker {
 public:
  virtual ~LbPicker() = default;
  // Other hosts, which live until the next call. The first comes before any pick().
  virtual void update(const PreparedHosts& hosts) = 0;
  // A slot of LbWorker::hosts, or kNoHost when no host may get a request. Neither allocates nor locks.
  virtual cluster::HostSlot pick(const LbContext& context) = 0;
};

// Of a cluster that has no hosts of its own: it never chooses one.
class NoPicker final : public LbPicker {
 public:
  void update(const PreparedHosts&) override {}
  cluster::HostSlot pick(const LbContext&) override { return cluster::kNoHost; }
};

class LbPolicy {
 public:
  virtual ~LbPolicy() = default;

  // Main, once for each set of hosts.
  virtual std::shared_ptr<const LbTables> build(const cluster::HostSet&) const { return nullptr; }
  // On a worker. The policy outlives what it makes.
  virtual std::unique_ptr<LbPicker> makePicker(LbWorker& worker) const = 0;

  // Whether a choice is the same when it is made some requests ahead: it looks at no request, and at nothing that they
  // change.
  virtual bool choosesAhead() const { return false; }
  // Whether localities share the traffic of their priority by their weights. (proto:
  // LocalityLbConfig.locality_weighted_lb_config)
  virtual bool localityWeighted() const { return false; }
  // Whether no host is taken where all would be, healthy or not. (proto:
  // LocalityLbConfig.zone_aware_lb_config.fail_traffic_on_panic)
  virtual bool failsOnPanic() const { return false; }
  // How groups are zones where there is a local cluster; nullopt: the policy does not go by them. (proto:
  // LocalityLbConfig.zone_aware_lb_config)
  virtual std::optional<cluster::ZoneAware> zoneAware() const { return std::nullopt; }
  // What becomes of what hosts report of their load (Host::monitor().loadWeight()); null: nobody looks for reports.
  virtual const LoadWeights* loadWeights() const { return nullptr; }

  // `policy`: of the cluster; null: it never chooses a host.
  static PreparedHosts prepare(const LbPolicy* policy, cluster::HostSetPtr hosts) {
    std::shared_ptr<const LbTables> tables = policy != nullptr ? policy->build(*hosts) : nullptr;
    return {std::move(hosts), std::move(tables)};
  }
};

}  // namespace sluice::upstream::lb
