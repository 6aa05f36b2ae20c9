#include "source/upstream/worker_cluster.h"

#include <algorithm>

namespace sluice::upstream {

namespace {

using cluster::UpstreamProtocol;

// So many pools of one host are kept for hosts of requests before those without connections are thrown away.
constexpr size_t kManyPools = 64;

bool byRequest(const cluster::ClusterConfig& config) {
  const bool by_host = config.transport && (config.http.auto_sni || config.http.auto_san_validation);
  return by_host || config.http.protocol == UpstreamProtocol::kDownstream;
}

// Without port and brackets.
std::string_view hostOf(std::string_view authority) {
  if (!authority.empty() && authority.front() == '[') return authority.substr(1, authority.find(']') - 1);
  return authority.substr(0, authority.find(':'));
}

bool isIp(std::string_view host) {
  return net::Address::fromIp(host, 0).has_value();
}

}  // namespace

WorkerCluster::WorkerCluster(event::Loop& loop, net::WorkerBuffers& buffers, observability::StatsCells& cells,
                             const PublishedCluster& published, uint64_t seed)
    : context_{loop, buffers, cells, published.config, published.breakers, published.stats},
      by_request_(byRequest(*published.config)),
      balancer_(lb::LoadBalancer::make(published.config->lb, seed)) {
  if (published.config->discovery == cluster::DiscoveryType::kOriginalDst) {
    const pool::ClusterStats& stats = context_.stats;
    original_dst_ = std::make_unique<lb::OriginalDst>(
        loop.timers(), published.config->original_dst, cells,
        lb::OriginalDst::Stats{stats.original_dst_host_invalid, stats.membership_total, stats.membership_healthy},
        [this](cluster::HostSlot slot) { retirePoolsOf(slot); });
  }
  updateHosts(published.hosts);
}

WorkerCluster::~WorkerCluster() = default;

size_t WorkerCluster::poolCount() const {
  const size_t slots = original_dst_ ? original_dst_->slotCount() : balancer_->hosts().slotCount();
  return slots * cluster::kRoutingPriorities;
}

pool::Pool& WorkerCluster::poolOf(cluster::HostSlot slot, cluster::RoutingPriority priority) {
  const size_t index = slot * cluster::kRoutingPriorities + static_cast<size_t>(priority);
  if (index >= pools_.size()) pools_.resize(poolCount());
  std::unique_ptr<pool::Pool>& pool = pools_[index];
  if (!pool) pool = std::make_unique<pool::Pool>(context_, hostPtr(slot), priority);
  return *pool;
}

pool::Pool& WorkerCluster::poolByRequest(cluster::HostSlot slot, cluster::RoutingPriority priority,
                                         const http::RequestHeaders& request) {
  const cluster::UpstreamHttpConfig& http = context_.config->http;
  UpstreamProtocol protocol = http.protocol;
  if (protocol == UpstreamProtocol::kDownstream) {
    protocol = request.protocol == http::Protocol::kHttp2 ? UpstreamProtocol::kHttp2 : UpstreamProtocol::kHttp1;
  }
  std::string_view host;
  if (context_.config->transport && (http.auto_sni || http.auto_san_validation)) {
    host = hostOf(request.authority);
    if (!http.override_auto_sni_header.empty()) {
      if (const auto value = request.get(http.override_auto_sni_header); value && !value->empty()) host = *value;
    }
  }
  const size_t index = slot * cluster::kRoutingPriorities + static_cast<size_t>(priority);
  if (index >= pools_by_request_.size()) pools_by_request_.resize(poolCount());
  Pools& pools = pools_by_request_[index];
  key_.assign(1, static_cast<char>('0' + static_cast<int>(protocol)));
  for (const char c : host) key_ += c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  if (const auto at = pools.find(key_); at != pools.end()) return *at->second;
  if (pools.size() >= kManyPools) absl::erase_if(pools, [](const auto& entry) { return entry.second->unused(); });
  pool::PoolKey key{protocol, {}, {}};
  const std::string lower = key_.substr(1);
  if (http.auto_sni && !isIp(lower)) key.server_name = lower;
  if (http.auto_san_validation) key.verify_san = lower;
  std::unique_ptr<pool::Pool>& pool = pools[key_];
  pool = std::make_unique<pool::Pool>(context_, hostPtr(slot), priority, std::move(key));
  return *pool;
}

void WorkerCluster::retire(std::unique_ptr<pool::Pool> pool) {
  pool->drain();
  draining_.push_back(std::move(pool));
}

void WorkerCluster::retirePoolsOf(cluster::HostSlot slot) {
  std::erase_if(draining_, [](const auto& pool) { return pool->unused(); });
  for (size_t i = slot * cluster::kRoutingPriorities; i < (slot + 1) * cluster::kRoutingPriorities; ++i) {
    if (i < pools_.size() && pools_[i]) retire(std::move(pools_[i]));
    if (i >= pools_by_request_.size()) continue;
    for (auto& [key, pool] : pools_by_request_[i]) retire(std::move(pool));
    pools_by_request_[i].clear();
  }
}

void WorkerCluster::updateHosts(const cluster::HostSetPtr& hosts) {
  if (original_dst_) return;
  std::erase_if(draining_, [](const auto& pool) { return pool->unused(); });
  const auto stays = [&hosts](const pool::Pool& pool) { return hosts->host(pool.host().slot()) == &pool.host(); };
  for (std::unique_ptr<pool::Pool>& pool : pools_) {
    if (pool && !stays(*pool)) retire(std::move(pool));
  }
  for (Pools& pools : pools_by_request_) {
    if (pools.empty() || stays(*pools.begin()->second)) continue;
    for (auto& [key, pool] : pools) retire(std::move(pool));
    pools.clear();
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
  const auto at = by_name_.find(absl::string_view(name.data(), name.size()));
  return at == by_name_.end() ? base::LocalPtr<WorkerCluster>() : find(at->second);
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
  if (!entry.published) by_name_.insert_or_assign(published->config->name, id);
  entry.published = std::move(published);
  watchers_.forEach([id](ClusterWatcher& watcher) { watcher.onClusterChanged(id); });
}

void ClusterSet::remove(ClusterId id) {
  if (id >= entries_.size() || !entries_[id].published) return;
  by_name_.erase(entries_[id].published->config->name);
  entries_[id] = {};
  watchers_.forEach([id](ClusterWatcher& watcher) { watcher.onClusterChanged(id); });
}

}  // namespace sluice::upstream
