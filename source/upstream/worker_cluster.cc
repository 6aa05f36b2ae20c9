#include "source/upstream/worker_cluster.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"

namespace sluice::upstream {

namespace {

using cluster::UpstreamProtocol;

// So many pools of one host may requests call for by their own words before those on which nothing runs are thrown
// away.
constexpr size_t kManyPools = 64;
// What the host is verified as that a request of HTTP/1.0 does not name: no certificate has it.
constexpr const char* kNoName = ".";
// How long nobody is asked for room after nobody had any.
constexpr std::chrono::milliseconds kQuestPause{1};

bool byHost(const cluster::ClusterConfig& config) {
  const bool by_host = config.http.auto_sni || config.http.auto_san_validation;
  return by_host && (config.transport || config.transport_matches.anyTransport());
}

// Whether one of the cluster's transports is such.
bool anyTransport(const cluster::ClusterConfig& config, bool (net::TransportFactory::*such)() const) {
  const auto is = [such](const auto& transport) { return transport && (transport.get()->*such)(); };
  const auto& matches = config.transport_matches.list;
  return is(config.transport) ||
         std::any_of(matches.begin(), matches.end(), [&is](const auto& match) { return is(match.transport); });
}

bool byClient(const cluster::ClusterConfig& config) {
  return anyTransport(config, &net::TransportFactory::tellsClient);
}

bool byState(const cluster::ClusterConfig& config) {
  return anyTransport(config, &net::TransportFactory::handsOver);
}

bool byRequest(const cluster::ClusterConfig& config) {
  return byHost(config) || byClient(config) || byState(config) || config.http.protocol == UpstreamProtocol::kDownstream;
}

void appendTo(std::string& key, const net::ProxyTlvs& tlvs) {
  for (const net::ProxyTlv& tlv : tlvs) {
    absl::StrAppend(&key, "\x03", tlv.type, ":", tlv.value.size(), ":", tlv.value);
  }
}

std::optional<net::Address> addressIn(std::string_view text) {
  absl::StatusOr<net::Address> address = net::Address::parse(text);
  return address.ok() ? std::optional(*address) : std::nullopt;
}

// Without port and brackets, and as certificates and servers have it: without the dot behind an absolute name. (RFC
// 6066, section 3)
std::string_view hostOf(std::string_view authority) {
  if (!authority.empty() && authority.front() == '[') return authority.substr(1, authority.find(']') - 1);
  std::string_view host = authority.substr(0, authority.find(':'));
  if (host.size() > 1 && host.ends_with('.')) host.remove_suffix(1);
  return host;
}

bool isIp(std::string_view host) {
  return net::Address::fromIp(host, 0).has_value();
}

lb::LbStats lbStats(const cluster::ClusterStats& stats) {
  return {stats.lb_healthy_panic, stats.original_dst_host_invalid, stats.membership_total, stats.membership_healthy,
          stats.zones};
}

}  // namespace

WorkerCluster::WorkerCluster(event::Loop& loop, net::WorkerBuffers& buffers, observability::StatsCells& cells,
                             const PublishedCluster& published, uint64_t seed, ClusterSet& set)
    : set_(set),
      id_(published.id),
      context_{loop, buffers, cells, published.config, published.breakers, published.stats, this},
      late_counts_(published.late_counters),
      zones_(late_counts_, published.own_zone),
      by_client_(byClient(*published.config)),
      by_state_(byState(*published.config)),
      by_request_(byRequest(*published.config)),
      predicts_(published.config->predictive_ratio > 1 && !by_request_),
      balancer_(published.config->lb.policy.get(),
                {loop.timers(), cells, lbStats(published.stats), base::Random(seed),
                 lb::HostTable([this](cluster::HostSlot slot) { retirePoolsOf(slot); })},
                published.hosts) {
  context_.hosts = &hosts();
  if (predicts_) context_.connections = &connections_;
  if (published.fail_reports) observers_.pushBack(fails_.emplace(published.fail_reports));
  const lb::LbPolicy* policy = published.config->lb.policy.get();
  const lb::LoadWeights* weights = policy == nullptr ? nullptr : policy->loadWeights();
  if (weights != nullptr && !weights->byStream()) observers_.pushBack(loads_.emplace(*weights));
  if (!published.config->outlier) return;
  outcomes_.emplace(published.config->outlier, published.outlier_reports);
  observers_.pushBack(*outcomes_);
}

WorkerCluster::~WorkerCluster() {
  const auto asks = [](const Quest& quest) { return quest.on; };
  if (std::any_of(quests_.begin(), quests_.end(), asks)) set_.forget(*this);
}

WorkerCluster::Drop WorkerCluster::drawDrop() {
  constexpr uint32_t kAll = 1'000'000;
  const uint32_t dropped = hosts().dropPerMillion();
  if (dropped < kAll && set_.random_.below(kAll) >= dropped) return Drop::kNone;
  context_.cells.add(context_.stats.rq_drop_overload);
  return dropped < kAll ? Drop::kByChance : Drop::kAll;
}

void WorkerCluster::countNewCode(uint16_t status) {
  const std::string name = "upstream_rq_" + std::to_string(status);
  if (observability::LateCounters::Cell* cell = late_counts_.cellOf(name)) {
    cell->add();
    codes_.emplace_back(status, cell);
  }
}

void WorkerCluster::countRetried(uint16_t status) {
  const std::string code = std::to_string(status);
  for (const std::string& name : {std::string("completed"), code, code.substr(0, 1) + "xx"}) {
    if (observability::LateCounters::Cell* cell = late_counts_.cellOf("retry.upstream_rq_" + name)) cell->add();
  }
}

size_t WorkerCluster::poolCount() const {
  return balancer_.hosts().slotCount() * cluster::kRoutingPriorities;
}

pool::Pool& WorkerCluster::poolOf(cluster::HostSlot slot, cluster::RoutingPriority priority) {
  const size_t index = slot * cluster::kRoutingPriorities + static_cast<size_t>(priority);
  if (index >= pools_.size()) pools_.resize(poolCount());
  std::unique_ptr<pool::Pool>& pool = pools_[index];
  if (!pool) pool = std::make_unique<pool::Pool>(context_, hostPtr(slot), priority);
  return *pool;
}

pool::Pool& WorkerCluster::poolByRequest(cluster::HostSlot slot, cluster::RoutingPriority priority,
                                         const http::RequestHeaders& request, const ClientAddresses& client) {
  const cluster::UpstreamHttpConfig& http = context_.config->http;
  UpstreamProtocol protocol = http.protocol;
  if (protocol == UpstreamProtocol::kDownstream) {
    protocol = request.protocol == http::Protocol::kHttp2 ? UpstreamProtocol::kHttp2 : UpstreamProtocol::kHttp1;
  }
  std::string_view host;
  if (byHost(*context_.config)) {
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
  const size_t host_end = key_.size();
  if (by_client_) {
    key_ += '\0';
    key_.append(client.remote) += '\0';
    key_.append(client.local);
    if (client.tlvs != nullptr) appendTo(key_, *client.tlvs);
  }
  const std::shared_ptr<const stream::FilterState> shared =
      by_state_ && client.state != nullptr ? client.state->shared() : nullptr;
  if (shared) absl::StrAppend(&key_, "\x01", shared->identity());
  if (client.source != nullptr)
    absl::StrAppend(&key_, "\x02", client.source->address.toString(), "\x02", client.source->mark);
  if (const auto at = pools.find(key_); at != pools.end()) {
    at->second.used = context_.loop.now();
    return *at->second.pool;
  }
  if (pools.size() >= std::max(kManyPools, pools.thin_at)) thinOut(pools);
  pool::PoolKey key;
  key.protocol = protocol;
  const std::string lower = key_.substr(1, host_end - 1);
  if (http.auto_sni && !isIp(lower)) key.server_name = lower;
  if (http.auto_san_validation) key.verify_san = lower.empty() ? kNoName : lower;
  if (by_client_) {
    key.client = addressIn(client.remote);
    key.target = addressIn(client.local);
    if (client.tlvs != nullptr) key.tlvs = *client.tlvs;
  }
  key.shared = shared;
  if (client.source != nullptr) key.source = *client.source;
  NamedPool& named = pools[key_];
  named.pool = std::make_unique<pool::Pool>(context_, hostPtr(slot), priority, std::move(key));
  named.used = context_.loop.now();
  return *named.pool;
}

// The half that was used longest ago goes, as far as nothing runs there. All may be in use: that is bounded by
// breakers, and looking through them for each further one would cost their square.
void WorkerCluster::thinOut(Pools& pools) {
  std::vector<event::TimePoint> times;
  times.reserve(pools.size());
  for (const auto& [key, named] : pools) times.push_back(named.used);
  const auto middle = times.begin() + static_cast<ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  absl::erase_if(pools, [this, until = *middle](auto& entry) {
    NamedPool& named = entry.second;
    if (named.used > until || !named.pool->idle()) return false;
    retire(std::move(named.pool));
    return true;
  });
  pools.thin_at = 2 * pools.size();
}

// Thrown away at the end of the turn at the earliest: a pool may be in the middle of a call.
void WorkerCluster::retire(std::unique_ptr<pool::Pool> pool) {
  pool->drain();
  draining_.push_back(std::move(pool));
  context_.loop.atTurnEnd(*this);
}

void WorkerCluster::runAtTurnEnd() {
  if (ahead_ > 0) connectAhead();
  std::erase_if(draining_, [](const auto& pool) { return pool->unused(); });
}

void WorkerCluster::drain() {
  for (std::unique_ptr<pool::Pool>& pool : pools_) {
    if (pool) pool->drain();
  }
  for (Pools& pools : pools_by_request_) {
    for (auto& [key, named] : pools) named.pool->drain();
  }
}

bool WorkerCluster::closeIdle(cluster::RoutingPriority priority) {
  const auto wanted = [priority](size_t index) {
    return index % cluster::kRoutingPriorities == static_cast<size_t>(priority);
  };
  const size_t size = std::max(pools_.size(), pools_by_request_.size());
  for (size_t i = 0; i < size; ++i) {
    const size_t index = room_cursor_++ % size;
    if (!wanted(index)) continue;
    if (index < pools_.size() && pools_[index] && pools_[index]->closeIdle()) return true;
    if (index >= pools_by_request_.size()) continue;
    for (auto& [key, named] : pools_by_request_[index]) {
      if (named.pool->closeIdle()) return true;
    }
  }
  return false;
}

bool WorkerCluster::askOthers(cluster::RoutingPriority priority) {
  Quest& quest = quests_[static_cast<size_t>(priority)];
  if (quest.on) return true;
  if (context_.loop.now() < quest.not_before) return false;
  quest.on = set_.askOthers(*this, id_, priority);
  return quest.on;
}

void WorkerCluster::roomMade(cluster::RoutingPriority priority, bool found) {
  const base::LocalPtr<WorkerCluster> pin(this);  // what waits may be its last user
  Quest& quest = quests_[static_cast<size_t>(priority)];
  quest.on = false;
  if (!found) quest.not_before = context_.loop.now() + kQuestPause;
  std::vector<pool::Pool*> starved;
  const auto look = [&](pool::Pool& pool) {
    if (pool.priority() == priority && pool.starved()) starved.push_back(&pool);
  };
  for (const auto& pool : pools_) {
    if (pool) look(*pool);
  }
  for (const Pools& pools : pools_by_request_) {
    for (const auto& [key, named] : pools) look(*named.pool);
  }
  for (const auto& pool : draining_) look(*pool);
  for (pool::Pool* pool : starved) pool->roomMade();
}

void WorkerCluster::retirePoolsOf(cluster::HostSlot slot) {
  for (size_t i = slot * cluster::kRoutingPriorities; i < (slot + 1) * cluster::kRoutingPriorities; ++i) {
    if (i < pools_.size() && pools_[i]) retire(std::move(pools_[i]));
    if (i >= pools_by_request_.size()) continue;
    for (auto& [key, named] : pools_by_request_[i]) retire(std::move(named.pool));
    pools_by_request_[i] = {};
  }
}

base::LocalPtr<WorkerCluster> ClusterSet::find(ClusterId id) {
  if (!has(id)) return {};
  if (!entries_[id].members.empty()) {
    id = memberOf(id);
    if (!has(id)) return {};
  }
  Entry& entry = entries_[id];
  if (!entry.live) {
    entry.live = base::makeLocal<WorkerCluster>(loop_, buffers_, cells_, *entry.published,
                                                seed_ ^ (id * 0x9E3779B97F4A7C15u), *this);
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
    entry.letGo();
  }
  if (!entry.published) by_name_.insert_or_assign(published->config->name, id);
  entry.members = published->config->kind ? published->config->kind->members() : std::span<const ClusterId>();
  entry.availability.reset();
  entry.published = std::move(published);
  watchers_.forEach([id](ClusterWatcher& watcher) { watcher.onClusterChanged(id); });
}

void ClusterSet::remove(ClusterId id) {
  if (!has(id)) return;
  by_name_.erase(entries_[id].published->config->name);
  entries_[id].letGo();
  entries_[id] = {};
  watchers_.forEach([id](ClusterWatcher& watcher) { watcher.onClusterChanged(id); });
}

bool ClusterSet::askOthers(WorkerCluster& asker, ClusterId id, cluster::RoutingPriority priority) {
  if (!post_next_) return false;
  const Quest quest{this, ++next_quest_, id, priority};
  askers_.emplace(quest.number, &asker);
  post_next_([quest](ClusterSet& next) { next.carry(quest); });
  return true;
}

void ClusterSet::carry(Quest quest) {
  if (quest.from == this) {
    const auto at = askers_.find(quest.number);
    if (at == askers_.end()) return;  // gone meanwhile
    WorkerCluster& asker = *at->second;
    askers_.erase(at);
    return asker.roomMade(quest.priority, quest.found);
  }
  if (!quest.found && quest.cluster < entries_.size()) {
    const base::LocalPtr<WorkerCluster>& live = entries_[quest.cluster].live;
    quest.found = live && live->closeIdle(quest.priority);
  }
  post_next_([quest](ClusterSet& next) { next.carry(quest); });
}

}  // namespace sluice::upstream
