#include "source/upstream/health/cluster_checks.h"

#include <utility>

namespace sluice::upstream::health {

using cluster::Health;
using cluster::HealthInput;

namespace {

// `prefix`: "health_check." or that of one of several.
CheckStats makeStats(observability::Scope& scope, const std::string& prefix) {
  return {scope.counter(prefix + "attempt"),         scope.counter(prefix + "success"),
          scope.counter(prefix + "failure"),         scope.counter(prefix + "network_failure"),
          scope.counter(prefix + "passive_failure"), scope.counter(prefix + "verify_cluster")};
}

}  // namespace

ClusterChecks::ClusterChecks(CheckWorld world, ConfigPtr config, cluster::HostMonitors& monitors,
                             observability::Scope scope, Hooks hooks, uint64_t seed)
    : world_(world),
      config_(std::move(config)),
      monitors_(monitors),
      hooks_(std::move(hooks)),
      random_(seed),
      scope_(std::move(scope)),
      stats_(makeStats(scope_, "health_check.")),
      healthy_(scope_.gauge("health_check.healthy")),
      degraded_(scope_.gauge("health_check.degraded")) {
  makeOwnStats();
  monitors_.expectChecks(true);
}

ClusterChecks::~ClusterChecks() {
  monitors_.expectChecks(false);
  for (const auto& [monitor, check] : checks_) letGo(*check->host());
  world_.cells.set(healthy_, 0);
  world_.cells.set(degraded_, 0);
}

// Nobody objects any more.
void ClusterChecks::letGo(const cluster::Host& host) {
  host.monitor().setPending(false);
  monitors_.set(host, HealthInput::kActiveCheck, Health::kHealthy);
}

void ClusterChecks::setConfig(ConfigPtr config) {
  config_ = std::move(config);
  makeOwnStats();
  bool others = false;
  for (const auto& [monitor, check] : checks_) {
    if (!check->configChanged()) continue;
    others = true;
    check->host()->monitor().setPending(check->pending());
    monitors_.set(*check->host(), HealthInput::kActiveCheck, check->health(), check->reason());
  }
  if (!others) return;
  countAll();
  if (pending_ == 0) tellAllChecked();
}

void ClusterChecks::makeOwnStats() {
  own_stats_.clear();
  if (config_->health_checks.size() < 2) return;
  for (size_t i = 0; i < config_->health_checks.size(); ++i) {
    own_stats_.push_back(makeStats(scope_, "health_check." + std::to_string(i) + "."));
  }
}

void ClusterChecks::setHosts(const cluster::HostSet& hosts, const cluster::HostSet* coming) {
  std::unordered_map<const cluster::HostMonitor*, std::unique_ptr<HostChecks>> next;
  std::unordered_map<const cluster::HostMonitor*, const cluster::Host*> unwanted;
  const auto take = [&](const cluster::HostSet::Entry& entry) {
    const cluster::HostMonitor* const monitor = &entry.host->monitor();
    if (next.contains(monitor)) return;
    if (!entry.check().wanted) return void(unwanted.emplace(monitor, entry.host.get()));
    const auto known = checks_.find(monitor);
    if (known != checks_.end() && known->second->endpoint() == entry.check()) {
      next.emplace(monitor, std::move(known->second));
      checks_.erase(known);
      return;
    }
    next.emplace(monitor, std::make_unique<HostChecks>(entry.host, entry.check(), static_cast<CheckOwner&>(*this)));
  };
  for (const cluster::HostSet::Entry& entry : hosts.entries()) take(entry);
  if (coming != nullptr) {
    for (const cluster::HostSet::Entry& entry : coming->entries()) take(entry);
  }
  for (const auto& [monitor, host] : unwanted) {
    if (!next.contains(monitor)) letGo(*host);
  }
  // Should one that is gone come again before it is forgotten, it is new.
  for (const auto& [monitor, gone] : checks_) {
    if (!next.contains(monitor) && !unwanted.contains(monitor)) gone->host()->monitor().awaitFirstCheck();
  }
  checks_ = std::move(next);
  countAll();
  if (pending_ == 0) tellAllChecked();
}

void ClusterChecks::failNow(const cluster::HostMonitor& host) {
  if (const auto found = checks_.find(&host); found != checks_.end()) found->second->failNow();
}

void ClusterChecks::onChecked(const cluster::Host& host, const Checked& checked) {
  show(host.monitor().opinion(HealthInput::kActiveCheck), -1);
  show(checked.health, 1);
  monitors_.set(host, HealthInput::kActiveCheck, checked.health, checked.reason);
  if (checked.excluded) monitors_.exclude(host);
  if (checked.passed) hooks_.passed(host);
  if (checked.first && config_->lb.hosts.exclude_unchecked) monitors_.changed();
  if (checked.first && --pending_ == 0) tellAllChecked();
}

void ClusterChecks::show(Health health, int n) {
  if (health == Health::kHealthy) world_.cells.add(healthy_, static_cast<uint64_t>(n));
  if (health == Health::kDegraded) world_.cells.add(degraded_, static_cast<uint64_t>(n));
}

void ClusterChecks::countAll() {
  world_.cells.set(healthy_, 0);
  world_.cells.set(degraded_, 0);
  pending_ = 0;
  for (const auto& [monitor, check] : checks_) {
    show(monitor->opinion(HealthInput::kActiveCheck), 1);
    pending_ += check->pending();
  }
}

void ClusterChecks::tellAllChecked() {
  world_.loop.post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired() && pending_ == 0) hooks_.all_checked();
  });
}

}  // namespace sluice::upstream::health
