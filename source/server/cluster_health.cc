#include "source/server/cluster_health.h"

#include <utility>

namespace sluice::server {

namespace cluster = upstream::cluster;
namespace health = upstream::health;

net::WorkerBuffers& HealthWorld::buffers() {
  if (!buffers_) {
    buffers_ = std::make_unique<net::WorkerBuffers>();
    buffers_->cells = &cells;
    buffers_->descriptors = descriptors;
  }
  return *buffers_;
}

// From workers to main. The cluster may be gone when it arrives.
class ClusterHealth::Reports final : public upstream::OutlierReports, public upstream::FailReports {
 public:
  Reports(event::Loop& main, ClusterHealth& owner) : main_(main), owner_(std::make_shared<Owner>(&owner)) {}

  void detected(const std::shared_ptr<cluster::HostMonitor>& host, cluster::Detection what) override {
    main_.post([owner = owner_, host, what] {
      ClusterHealth* const to = owner->health;
      if (to != nullptr && to->outliers_) to->outliers_->detected(*host, what);
    });
  }
  void askedToFail(const std::shared_ptr<cluster::HostMonitor>& host) override {
    main_.post([owner = owner_, host] {
      ClusterHealth* const to = owner->health;
      if (to != nullptr && to->checks_) to->checks_->failNow(*host);
    });
  }
  // Main.
  void close() { owner_->health = nullptr; }

 private:
  // Read and written on main only.
  struct Owner {
    explicit Owner(ClusterHealth* health) : health(health) {}
    ClusterHealth* health;
  };
  event::Loop& main_;
  const std::shared_ptr<Owner> owner_;
};

ClusterHealth::ClusterHealth(HealthWorld& world, cluster::HostMonitors& monitors, const cluster::ClusterStats& stats,
                             uint64_t seed)
    : world_(world),
      monitors_(monitors),
      stats_(stats),
      seed_(seed),
      reports_(std::make_shared<Reports>(world.main, *this)) {}

ClusterHealth::~ClusterHealth() {
  reports_->close();
}

std::shared_ptr<upstream::OutlierReports> ClusterHealth::reports() const {
  return reports_;
}

std::shared_ptr<upstream::FailReports> ClusterHealth::failReports() const {
  return checks_ ? reports_ : nullptr;
}

void ClusterHealth::use(const ConfigPtr& config) {
  useOutliers(*config);
  useChecks(config);
  useLoadStreams(config);
}

void ClusterHealth::useChecks(const ConfigPtr& config) {
  if (config->health_checks.empty()) return checks_.reset();
  if (checks_) return checks_->setConfig(config);
  const health::CheckWorld world{world_.main, world_.buffers(), world_.cells, {world_.sink}};
  health::ClusterChecks::Hooks hooks;
  hooks.had_traffic = [this] { return hadTraffic(); };
  hooks.passed = [this](const cluster::Host& host) {
    if (outliers_) outliers_->checkPassed(host.monitor());
  };
  hooks.all_checked = [this] {
    if (on_checked) on_checked();
  };
  checks_.emplace(world, config, monitors_, world_.registry.scope("cluster", config->stat_name), std::move(hooks),
                  seed_);
}

void ClusterHealth::useOutliers(const cluster::ClusterConfig& config) {
  if (!config.outlier) return outliers_.reset();
  if (outliers_) return outliers_->setConfig(config.outlier);
  const health::OutlierDetector::World world{world_.main, world_.cells, {world_.sink}, seed_};
  outliers_.emplace(world, config.name, config.outlier, monitors_, world_.registry.scope("cluster", config.stat_name));
}

// Those of another configuration begin anew, as they may connect otherwise.
void ClusterHealth::useLoadStreams(const ConfigPtr& config) {
  if (load_streams_ && load_streams_->config() == config) return;
  load_streams_.reset();
  if (!health::LoadStreams::wantedBy(*config)) return;
  load_streams_.emplace(world_.main, world_.buffers(), world_.cells, config,
                        world_.registry.scope("cluster", config->stat_name), seed_);
}

void ClusterHealth::setHosts(const cluster::HostSet& hosts, const cluster::HostSet* coming) {
  if (outliers_) outliers_->setHosts(hosts);
  if (checks_) checks_->setHosts(hosts, coming);
  if (load_streams_) load_streams_->setHosts(hosts, coming);
}

bool ClusterHealth::hadTraffic() {
  if (!had_traffic_) had_traffic_ = world_.registry.counterValue(stats_.cx_total) > 0;
  return had_traffic_;
}

}  // namespace sluice::server
