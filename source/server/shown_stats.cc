#include "source/server/shown_stats.h"

#include <malloc.h>
#include <unistd.h>

#include <fstream>

#include "source/base/text.h"

namespace sluice::server {

using upstream::cluster::Resource;
using upstream::cluster::RoutingPriority;

namespace {

constexpr std::string_view kPriorities[] = {"default", "high"};

int64_t residentBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace

ShownStats::ShownStats(observability::StatsRegistry& registry, observability::StatsCells& cells, uint32_t concurrency)
    : registry_(registry),
      cells_(cells),
      state_(registry.gauge("server.state")),
      live_(registry.gauge("server.live")),
      uptime_(registry.gauge("server.uptime")),
      allocated_(registry.gauge("server.memory_allocated")),
      heap_size_(registry.gauge("server.memory_heap_size")),
      physical_size_(registry.gauge("server.memory_physical_size")),
      connections_(registry.gauge("server.total_connections")),
      workers_started_(registry.gauge("listener_manager.workers_started")),
      initialization_time_(registry.histogram("server.initialization_time_ms")) {
  cells_.set(registry.gauge("server.concurrency"), concurrency);
  // There is no hot restart: no parent, and the first generation.
  cells_.set(registry.gauge("server.parent_connections"), 0);
  cells_.set(registry.gauge("server.hot_restart_epoch"), 0);
  cells_.set(registry.gauge("server.hot_restart_generation"), 1);
}

void ShownStats::initialized() {
  const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started_);
  cells_.record(initialization_time_, static_cast<uint64_t>(time.count()));
  cells_.set(workers_started_, 1);
}

void ShownStats::refresh(State state, const ClusterManager& clusters, const ListenerManager& listeners) {
  cells_.set(state_, static_cast<int64_t>(state));
  cells_.set(live_, state == State::kDraining ? 0 : 1);
  cells_.set(uptime_, std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - started_).count());
  const struct mallinfo2 heap = ::mallinfo2();
  cells_.set(allocated_, static_cast<int64_t>(heap.uordblks + heap.hblkhd));
  cells_.set(heap_size_, static_cast<int64_t>(heap.arena + heap.hblkhd));
  cells_.set(physical_size_, residentBytes());
  registry_.showLate(cells_);
  int64_t connections = 0;
  for (const auto& [name, entry] : listeners.entries()) {
    if (entry.active) connections += registry_.gaugeValue(entry.active->stats.connections->active);
  }
  cells_.set(connections_, connections);
  std::erase_if(clusters_, [&](const auto& shown) { return clusters.find(shown.first) == nullptr; });
  for (const auto& [name, entry] : clusters.entries()) {
    if (entry->active) refreshCluster(name, *entry);
  }
}

void ShownStats::refreshCluster(const std::string& name, const ClusterManager::Entry& entry) {
  static constexpr std::string_view kResourceNames[] = {"cx", "rq_pending", "rq", "rq_retry"};
  const ClusterManager::Generation& active = *entry.active;
  const auto [found, is_new] = clusters_.try_emplace(name);
  Cluster& shown = found->second;
  const upstream::cluster::HostSource::Updates* const updates = active.source->updates();
  if (is_new) {
    shown.scope = registry_.scope("cluster", active.config->stat_name);
    shown.degraded = shown.scope.gauge("membership_degraded");
    shown.excluded = shown.scope.gauge("membership_excluded");
    for (size_t i = 0; i < shown.open.size(); ++i) {
      const std::string_view priority = kPriorities[i / upstream::cluster::kResources];
      const std::string_view resource = kResourceNames[i % upstream::cluster::kResources];
      shown.open[i] = shown.scope.gauge(base::strCat("circuit_breakers.", priority, ".", resource, "_open"));
    }
    if (updates != nullptr) {
      shown.attempt = shown.scope.counter("update_attempt");
      shown.success = shown.scope.counter("update_success");
      shown.failure = shown.scope.counter("update_failure");
      shown.empty = shown.scope.counter("update_empty");
      shown.no_rebuild = shown.scope.counter("update_no_rebuild");
    }
  }
  cells_.set(shown.excluded, static_cast<int64_t>(active.hosts->countExcluded()));
  cells_.set(shown.degraded, static_cast<int64_t>(active.hosts->countWithHealth(upstream::cluster::Health::kDegraded)));
  for (size_t i = 0; i < shown.open.size(); ++i) {
    cells_.set(shown.open[i], entry.breakers->open(static_cast<Resource>(i % upstream::cluster::kResources),
                                                   static_cast<RoutingPriority>(i / upstream::cluster::kResources)));
  }
  showRemaining(entry, shown);
  if (updates != nullptr) showUpdates(*updates, shown);
  entry.late_counters->show(shown.scope, cells_);
}

// (proto: CircuitBreakers.Thresholds.track_remaining)
void ShownStats::showRemaining(const ClusterManager::Entry& entry, Cluster& shown) {
  static constexpr std::string_view kNames[] = {"cx", "pending", "rq", "retries"};
  const upstream::cluster::ClusterConfig& config = *entry.active->config;
  for (size_t i = 0; i < shown.remaining.size(); ++i) {
    std::unique_ptr<Cluster::Remaining>& remaining = shown.remaining[i];
    if (!config.thresholds[i].track_remaining) {
      remaining.reset();
      continue;
    }
    if (!remaining) {
      remaining =
          std::make_unique<Cluster::Remaining>(Cluster::Remaining{registry_.scope("cluster", config.stat_name), {}});
      for (size_t r = 0; r < remaining->left.size(); ++r) {
        remaining->left[r] =
            remaining->scope.gauge(base::strCat("circuit_breakers.", kPriorities[i], ".remaining_", kNames[r]));
      }
    }
    for (size_t r = 0; r < remaining->left.size(); ++r) {
      const auto resource = static_cast<Resource>(r);
      const auto priority = static_cast<RoutingPriority>(i);
      const uint32_t limit = entry.breakers->limit(resource, priority);
      const uint32_t used = entry.breakers->used(resource, priority);
      cells_.set(remaining->left[r], used < limit ? limit - used : 0);
    }
  }
}

// The counts of a cluster go on when its configuration changes, though those of its lookups begin anew.
void ShownStats::showUpdates(const upstream::cluster::HostSource::Updates& now, Cluster& shown) {
  if (now.attempts < shown.told.attempts) shown.told = {};
  cells_.add(shown.attempt, now.attempts - shown.told.attempts);
  cells_.add(shown.success, now.successes - shown.told.successes);
  cells_.add(shown.failure, now.failures - shown.told.failures);
  cells_.add(shown.empty, now.empty - shown.told.empty);
  cells_.add(shown.no_rebuild, now.no_rebuild - shown.told.no_rebuild);
  shown.told = now;
}

}  // namespace sluice::server
