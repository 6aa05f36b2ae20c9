// Who keeps watch over the hosts of one cluster, through all generations of its configuration: active checks, outlier
// detection, and streams of load reports. What they find goes to the cluster's HostMonitors. Thread: main.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "source/event/loop.h"
#include "source/net/connection.h"
#include "source/observability/log_file.h"
#include "source/observability/stats.h"
#include "source/upstream/cluster/cluster_stats.h"
#include "source/upstream/fail_observer.h"
#include "source/upstream/health/cluster_checks.h"
#include "source/upstream/health/load_streams.h"
#include "source/upstream/health/outlier_detector.h"
#include "source/upstream/outcome_observer.h"

namespace sluice::server {

// What those of all clusters share. Outlives them.
class HealthWorld {
 public:
  HealthWorld(event::Loop& main, observability::StatsRegistry& registry, observability::StatsCells& cells)
      : main(main), registry(registry), cells(cells) {}

  // Made when a cluster first has checks.
  net::WorkerBuffers& buffers();

  event::Loop& main;
  observability::StatsRegistry& registry;
  observability::StatsCells& cells;
  observability::LogSink* sink = nullptr;  // of main; null: events are written nowhere
  net::Descriptors descriptors = {};       // of checks

 private:
  std::unique_ptr<net::WorkerBuffers> buffers_;
};

class ClusterHealth {
 public:
  using ConfigPtr = std::shared_ptr<const upstream::cluster::ClusterConfig>;

  // `monitors` and `stats` are the cluster's and outlive it.
  ClusterHealth(HealthWorld& world, upstream::cluster::HostMonitors& monitors,
                const upstream::cluster::ClusterStats& stats, uint64_t seed);
  ~ClusterHealth();
  ClusterHealth(const ClusterHealth&) = delete;
  ClusterHealth& operator=(const ClusterHealth&) = delete;

  // How hosts are watched from now on. Before the hosts of a new cluster are made: new ones wait for their first check.
  void use(const ConfigPtr& config);
  // `coming`: of a configuration that is to take over, which are checked already; null: there is none.
  void setHosts(const upstream::cluster::HostSet& hosts, const upstream::cluster::HostSet* coming = nullptr);
  // Whether a host waits for its first check; then `on_checked` is called when none does any more.
  bool pending() const { return checks_ && checks_->pending() > 0; }
  std::function<void()> on_checked;
  // For workers; they may use it as long as they like.
  std::shared_ptr<upstream::OutlierReports> reports() const;
  // Null: no host is checked.
  std::shared_ptr<upstream::FailReports> failReports() const;
  // Null: there is none.
  const upstream::health::OutlierDetector* outliers() const { return outliers_ ? &*outliers_ : nullptr; }

 private:
  class Reports;
  void useChecks(const ConfigPtr& config);
  void useOutliers(const upstream::cluster::ClusterConfig& config);
  void useLoadStreams(const ConfigPtr& config);
  bool hadTraffic();

  HealthWorld& world_;
  upstream::cluster::HostMonitors& monitors_;
  const upstream::cluster::ClusterStats& stats_;
  const uint64_t seed_;
  bool had_traffic_ = false;
  const std::shared_ptr<Reports> reports_;
  std::optional<upstream::health::OutlierDetector> outliers_;
  std::optional<upstream::health::ClusterChecks> checks_;
  std::optional<upstream::health::LoadStreams> load_streams_;
};

}  // namespace sluice::server
