// The active checks of a cluster's hosts, made once for the process; what they find is told to the monitors of the
// hosts.
//
// A new host is unhealthy until its first check is over. One that served before its cluster was checked stays as it is
// until checks say otherwise. Another configuration goes on with what is known. Where a cluster has several
// health_checks a host is healthy when all of them say so, and each is counted by its place, too
// (health_check.0.success). Thread: main.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "source/upstream/cluster/host_set.h"
#include "source/upstream/health/host_checks.h"

namespace sluice::upstream::health {

class ClusterChecks final : private CheckOwner {
 public:
  using ConfigPtr = std::shared_ptr<const cluster::ClusterConfig>;

  struct Hooks {
    // Whether the cluster ever had a connection.
    std::function<bool()> had_traffic = [] { return true; };
    // A host passed a check, and is healthy.
    std::function<void(const cluster::Host&)> passed = [](const cluster::Host&) {};
    // No host waits for its first check any more. From the loop.
    std::function<void()> all_checked = [] {};
  };
  // `config` has health_checks. `scope`: "cluster.NAME.". The rest of `world` outlives the checks.
  ClusterChecks(CheckWorld world, ConfigPtr config, cluster::HostMonitors& monitors, observability::Scope scope,
                Hooks hooks, uint64_t seed);
  // Nobody objects to a host any more.
  ~ClusterChecks() override;

  // The same hosts are asked otherwise.
  void setConfig(ConfigPtr config);
  // Those of now, and of a configuration that is to come (null: none).
  void setHosts(const cluster::HostSet& hosts, const cluster::HostSet* coming = nullptr);
  // The host asked in an answer to a request to count as failed. Of no effect if it is not checked.
  void failNow(const cluster::HostMonitor& host);
  // Hosts whose first checks are not over.
  size_t pending() const { return pending_; }
  size_t checked() const { return checks_.size(); }

 private:
  const ConfigPtr& config() const override { return config_; }
  const CheckWorld& world() const override { return world_; }
  const CheckStats& stats() const override { return stats_; }
  const CheckStats* statsOf(size_t index) const override { return own_stats_.empty() ? nullptr : &own_stats_[index]; }
  base::Random& random() override { return random_; }
  bool hadTraffic() const override { return hooks_.had_traffic(); }
  void onChecked(const cluster::Host& host, const Checked& checked) override;
  void letGo(const cluster::Host& host);
  void show(cluster::Health health, int n);
  void countAll();
  void makeOwnStats();
  void tellAllChecked();

  const CheckWorld world_;
  ConfigPtr config_;
  cluster::HostMonitors& monitors_;
  const Hooks hooks_;
  base::Random random_;
  observability::Scope scope_;
  CheckStats stats_;
  std::vector<CheckStats> own_stats_;  // of each health_check, if there are several
  observability::Gauge healthy_, degraded_;
  std::unordered_map<const cluster::HostMonitor*, std::unique_ptr<HostChecks>> checks_;
  size_t pending_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sluice::upstream::health
