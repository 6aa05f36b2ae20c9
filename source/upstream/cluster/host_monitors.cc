#include "source/upstream/cluster/host_monitors.h"

#include <algorithm>

namespace sluice::upstream::cluster {

std::shared_ptr<HostMonitor> HostMonitors::of(const Endpoint& endpoint) {
  const HostIdentity identity = identityOf(endpoint);
  const size_t hash = identity.hash();
  const auto [begin, end] = known_.equal_range(hash);
  for (auto at = begin; at != end; ++at) {
    std::shared_ptr<HostMonitor> monitor = at->second.lock();
    if (monitor && monitor->identity() == identity) return monitor;
  }
  if (known_.size() >= forget_at_) forgetUnused();
  auto monitor = std::make_shared<HostMonitor>(endpoint.address, endpoint.hostname, endpoint.metadata);
  monitor->enterService(loop_.now());
  if (checks_expected_ && endpoint.check.wanted) monitor->awaitFirstCheck();
  known_.emplace(hash, monitor);
  return monitor;
}

void HostMonitors::expectChecks(bool expected) {
  checks_expected_ = expected;
  if (expected) return;
  for (const auto& [hash, known] : known_) {
    const std::shared_ptr<HostMonitor> monitor = known.lock();
    if (!monitor || !monitor->pending()) continue;
    monitor->setPending(false);
    if (monitor->set(HealthInput::kActiveCheck, Health::kHealthy)) loop_.atTurnEnd(*this);
  }
}

void HostMonitors::forgetUnused() {
  std::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
  forget_at_ = std::max<size_t>(64, 2 * known_.size());
}

}  // namespace sluice::upstream::cluster
