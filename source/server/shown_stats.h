// Stats that are looked at when somebody asks, not counted where they happen: the state of the process, and what a
// cluster keeps outside the registry.
//
// Thread: main.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "source/observability/stats.h"
#include "source/server/cluster_manager.h"
#include "source/server/listener_manager.h"

namespace sluice::server {

class ShownStats {
 public:
  // `cells`: main's.
  ShownStats(observability::StatsRegistry& registry, observability::StatsCells& cells, uint32_t concurrency);

  // Envoy's numbers. (stats: server.state)
  enum class State : uint8_t { kLive = 0, kDraining = 1, kInitializing = 3 };
  void refresh(State state, const ClusterManager& clusters, const ListenerManager& listeners);
  // From the start to being ready.
  void initialized();

 private:
  using Clock = std::chrono::steady_clock;

  struct Cluster {
    observability::Scope scope;
    observability::Gauge degraded, excluded;
    std::array<observability::Gauge, upstream::cluster::kResources * upstream::cluster::kRoutingPriorities> open;
    // What is left of the limits of a priority, by resource; null: nobody wants to know.
    struct Remaining {
      observability::Scope scope;
      std::array<observability::Gauge, upstream::cluster::kResources> left;
    };
    std::array<std::unique_ptr<Remaining>, upstream::cluster::kRoutingPriorities> remaining;
    observability::Counter attempt, success, failure, empty, no_rebuild;  // of a source that asks (DNS)
    upstream::cluster::HostSource::Updates told = {};
  };
  void refreshCluster(const std::string& name, const ClusterManager::Entry& entry);
  void showRemaining(const ClusterManager::Entry& entry, Cluster& shown);
  void showUpdates(const upstream::cluster::HostSource::Updates& now, Cluster& shown);

  observability::StatsRegistry& registry_;
  observability::StatsCells& cells_;
  const Clock::time_point started_ = Clock::now();
  observability::Gauge state_, live_, uptime_, allocated_, heap_size_, physical_size_, connections_, workers_started_;
  observability::Histogram initialization_time_;
  std::map<std::string, Cluster> clusters_;
};

}  // namespace sluice::server
