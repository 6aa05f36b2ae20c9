#include "source/upstream/worker_cluster.h"

#include <algorithm>

namespace sluice::upstream {

WorkerCluster::WorkerCluster(event::Loop& loop, net::WorkerBuffers& buffers, observability::StatsCells& cells,
                             const PublishedCluster& published, uint64_t seed)
    : context_{loop, buffers, cells, published.config, published.breakers, published.stats},
      balancer_(lb::LoadBalancer::make(published.config->lb, seed)) {
  updateHosts(published.hosts);
}

WorkerCluster::~WorkerCluster() = default;

pool::Pool& WorkerCluster::poolOf(cluster::HostSlot slot, cluster::RoutingPriority priority) {
  const size_t index = slot * cluster::kRoutingPriorities + static_cast<size_t>(priority);
  if (index >= pools_.size()) pools_.resize(balancer_->hosts().slotCount() * cluster::kRoutingPriorities);
  std::unique_ptr<pool::Pool>& pool = pools_[index];
  if (!pool) pool = std::make_unique<pool::Pool>(context_, balancer_->hosts().hostPtr(slot), priority);
  return *pool;
}

void WorkerCluster::updateHosts(const cluster::HostSetPtr& hosts) {
  std::erase_if(draining_, [](const auto& pool) { return pool->empty(); });
  for (std::unique_ptr<pool::Pool>& pool : pools_) {
    if (!pool || hosts->host(pool->host().slot()) == &pool->host()) continue;
    pool->drain();
    draining_.push_back(std::move(pool));
  }
  balancer_->update(hosts);
}

base::LocalPtr<WorkerCluster> ClusterSet::find(ClusterId id) {
  if (id >= entries_.size() || !entries_[id].published) return {};
  Entry& entry = entries_[id];
  if (!entry.live) {
    entry.live =
        base::makeLocal<WorkerCluster>(loop_, buffers_, cells_, *entry.published, seed_ ^ (id * 0x9E3779B97F4A7C15u));
  }
  return entry.live;
}

base::LocalPtr<WorkerCluster> ClusterSet::find(std::string_view name) {
  for (const Entry& entry : entries_) {
    if (entry.published && entry.published->config->name == name) return find(entry.published->id);
  }
  return {};
}

void ClusterSet::set(std::shared_ptr<const PublishedCluster> published) {
  const ClusterId id = published->id;
  if (id >= entries_.size()) entries_.resize(id + 1);
  Entry& entry = entries_[id];
  // The same configuration with other hosts keeps pools and balancer; another configuration starts anew, while streams
  // of the old one keep what they pinned.
  if (entry.live && entry.published->config == published->config) {
    entry.live->updateHosts(published->hosts);
  } else {
    entry.live.reset();
  }
  entry.published = std::move(published);
}

void ClusterSet::remove(ClusterId id) {
  if (id < entries_.size()) entries_[id] = {};
}

}  // namespace sluice::upstream
