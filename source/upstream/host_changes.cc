// What follows on a worker from another set of hosts.

#include <utility>

#include "source/upstream/cluster/pool_renewal.h"
#include "source/upstream/worker_cluster.h"

namespace sluice::upstream {

void WorkerCluster::updateHosts(lb::PreparedHosts hosts) {
  const base::LocalPtr<WorkerCluster> pin(this);  // streams that end may be its last users
  context_.loop.atTurnEnd(*this);
  const std::vector<bool> failed = newlyFailed(*hosts.set);
  const bool renew = cluster::renewsPools(config().host_changes, this->hosts(), *hosts.set);
  balancer_.update(std::move(hosts));
  context_.hosts = &this->hosts();
  zones_.forgetHosts();
  const auto stays = [&](const pool::Pool& pool) {
    const cluster::HostSlot slot = pool.host().slot();
    return !renew && balancer_.hosts().has(pool.host()) && !(slot < failed.size() && failed[slot]);
  };
  for (std::unique_ptr<pool::Pool>& pool : pools_) {
    if (pool && !stays(*pool)) retire(std::move(pool));
  }
  for (Pools& pools : pools_by_request_) {
    if (pools.empty() || stays(*pools.begin()->second.pool)) continue;
    for (auto& [key, named] : pools) retire(std::move(named.pool));
    pools.clear();
  }
  if (!failed.empty()) endStreamsTo(failed);
}

std::vector<bool> WorkerCluster::newlyFailed(const cluster::HostSet& next) const {
  if (!config().host_changes.close_on_failure) return {};
  std::vector<bool> out(next.slotCount());
  bool any = false;
  for (const cluster::HostSet::Entry& entry : next.entries()) {
    if (!entry.failed) continue;
    out[entry.host->slot()] = any = true;
  }
  if (!any) return {};
  for (const cluster::HostSet::Entry& entry : hosts().entries()) {
    const cluster::HostSlot slot = entry.host->slot();
    if (entry.failed && next.host(slot) == entry.host.get()) out[slot] = false;
  }
  return out;
}

void WorkerCluster::endStreamsTo(const std::vector<bool>& failed) {
  base::List<HostBound> all;
  all.takeAll(bound_);
  while (!all.empty()) {
    HostBound& stream = all.front();
    bound_.pushBack(stream);
    const cluster::Host& host = stream.boundTo();
    if (balancer_.hosts().has(host) && failed[host.slot()]) stream.hostFailed();
  }
}

}  // namespace sluice::upstream
