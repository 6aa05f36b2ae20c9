#include "source/server/cluster_manager.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "source/server/kept_hosts.h"

namespace sluice::server {

namespace cluster = upstream::cluster;

namespace {

upstream::cluster::ClusterStats makeStats(observability::Scope& scope) {
  upstream::cluster::ClusterStats s;
  auto counter = [&scope](const char* name) { return scope.counter(name); };
  s.cx_total = counter("upstream_cx_total");
  s.cx_http1_total = counter("upstream_cx_http1_total");
  s.cx_http2_total = counter("upstream_cx_http2_total");
  s.cx_connect_fail = counter("upstream_cx_connect_fail");
  s.cx_connect_timeout = counter("upstream_cx_connect_timeout");
  s.cx_destroy = counter("upstream_cx_destroy");
  s.cx_destroy_with_active_rq = counter("upstream_cx_destroy_with_active_rq");
  s.cx_overflow = counter("upstream_cx_overflow");
  s.cx_max_requests = counter("upstream_cx_max_requests");
  s.cx_idle_timeout = counter("upstream_cx_idle_timeout");
  s.cx_max_duration_reached = counter("upstream_cx_max_duration_reached");
  s.http2_keepalive_timeout = counter("http2.keepalive_timeout");
  s.cx_protocol_error = counter("upstream_cx_protocol_error");
  s.cx_rx_bytes_total = counter("upstream_cx_rx_bytes_total");
  s.cx_tx_bytes_total = counter("upstream_cx_tx_bytes_total");
  s.cx_none_healthy = counter("upstream_cx_none_healthy");
  s.original_dst_host_invalid = counter("original_dst_host_invalid");
  s.lb_healthy_panic = counter("lb_healthy_panic");
  s.zones.recalculate_zone_structures = counter("lb_recalculate_zone_structures");
  s.zones.local_cluster_not_ok = counter("lb_local_cluster_not_ok");
  s.zones.zone_number_differs = counter("lb_zone_number_differs");
  s.zones.zone_cluster_too_small = counter("lb_zone_cluster_too_small");
  s.zones.routing_all_directly = counter("lb_zone_routing_all_directly");
  s.zones.routing_sampled = counter("lb_zone_routing_sampled");
  s.zones.routing_cross_zone = counter("lb_zone_routing_cross_zone");
  s.zones.no_capacity_left = counter("lb_zone_no_capacity_left");
  s.cx_active = scope.gauge("upstream_cx_active");
  s.membership_total = scope.gauge("membership_total");
  s.membership_healthy = scope.gauge("membership_healthy");
  s.rq_active = scope.gauge("upstream_rq_active");
  s.rq_pending_active = scope.gauge("upstream_rq_pending_active");
  s.rq_total = counter("upstream_rq_total");
  s.rq_completed = counter("upstream_rq_completed");
  s.rq_pending_total = counter("upstream_rq_pending_total");
  s.rq_pending_overflow = counter("upstream_rq_pending_overflow");
  s.rq_pending_failure_eject = counter("upstream_rq_pending_failure_eject");
  s.rq_timeout = counter("upstream_rq_timeout");
  s.rq_cancelled = counter("upstream_rq_cancelled");
  s.rq_rx_reset = counter("upstream_rq_rx_reset");
  s.rq_tx_reset = counter("upstream_rq_tx_reset");
  s.rq_overflow = counter("upstream_rq_active_overflow");
  s.rq_drop_overload = counter("upstream_rq_drop_overload");
  s.rq_retry = counter("upstream_rq_retry");
  s.rq_retry_success = counter("upstream_rq_retry_success");
  s.rq_retry_overflow = counter("upstream_rq_retry_overflow");
  s.rq_retry_limit_exceeded = counter("upstream_rq_retry_limit_exceeded");
  s.rq_retry_backoff_exponential = counter("upstream_rq_retry_backoff_exponential");
  s.rq_retry_backoff_ratelimited = counter("upstream_rq_retry_backoff_ratelimited");
  s.rq_per_try_timeout = counter("upstream_rq_per_try_timeout");
  s.rq_per_try_idle_timeout = counter("upstream_rq_per_try_idle_timeout");
  s.rq_max_duration_reached = counter("upstream_rq_max_duration_reached");
  s.internal_redirect_succeeded = counter("upstream_internal_redirect_succeeded_total");
  s.internal_redirect_failed = counter("upstream_internal_redirect_failed_total");
  s.retry_or_shadow_abandoned = counter("retry_or_shadow_abandoned");
  s.rq_1xx = counter("upstream_rq_1xx");
  s.rq_2xx = counter("upstream_rq_2xx");
  s.rq_3xx = counter("upstream_rq_3xx");
  s.rq_4xx = counter("upstream_rq_4xx");
  s.rq_5xx = counter("upstream_rq_5xx");
  s.udp_rx_datagrams = counter("udp.sess_rx_datagrams");
  s.udp_rx_dropped = counter("udp.sess_rx_datagrams_dropped");
  s.udp_rx_errors = counter("udp.sess_rx_errors");
  s.udp_tx_datagrams = counter("udp.sess_tx_datagrams");
  s.udp_tx_errors = counter("udp.sess_tx_errors");
  s.cx_connect_ms = scope.histogram("upstream_cx_connect_ms");
  s.rq_time = scope.histogram("upstream_rq_time");
  return s;
}

// Hosts that were not there before, by the transport that their metadata chooses.
void countTransports(const cluster::TransportMatches& matches, const cluster::HostSet& hosts,
                     const cluster::HostSet* previous, observability::StatsCells& cells) {
  if (matches.empty()) return;
  for (const cluster::HostPtr& host : hosts.slots()) {
    if (!host || (previous != nullptr && previous->host(host->slot()) == host.get())) continue;
    const cluster::TransportMatch* const match = matches.find(host->metadata());
    cells.add(match != nullptr ? match->chosen : matches.no_match);
  }
}

}  // namespace

ClusterManager::ClusterManager(event::Loop& main, Workers& workers, observability::StatsRegistry& stats,
                               observability::StatsCells& cells, route::ClusterNames& names, net::DnsResolver& resolver,
                               observability::Logger& logger, uint64_t seed, size_t max_leaving)
    : main_(main),
      workers_(workers),
      registry_(stats),
      cells_(cells),
      names_(names),
      resolver_(resolver),
      logger_(logger),
      seed_(seed),
      health_world_(main, stats, cells),
      max_leaving_(max_leaving),
      active_clusters_(stats.gauge("cluster_manager.active_clusters")),
      warming_clusters_(stats.gauge("cluster_manager.warming_clusters")),
      cluster_added_(stats.counter("cluster_manager.cluster_added")),
      cluster_modified_(stats.counter("cluster_manager.cluster_modified")),
      cluster_removed_(stats.counter("cluster_manager.cluster_removed")) {
  names_.onUnused([this, &main, alive = std::weak_ptr<bool>(alive_)](route::ClusterId id) {
    main.post([this, alive, id] {
      if (!alive.expired()) onUnused(id);
    });
  });
}

ClusterManager::~ClusterManager() {
  names_.onUnused(nullptr);
  on_eds_unwanted = nullptr;
  entries_.clear();  // their sources end what they watch
}

const ClusterManager::Entry* ClusterManager::find(const std::string& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : found->second.get();
}

bool ClusterManager::exists(const std::string& name) const {
  const Entry* entry = find(name);
  return entry != nullptr && entry->leaving == 0;
}

bool ClusterManager::named(const std::string& name) const {
  const Entry* entry = find(name);
  return entry != nullptr && names_.used(entry->id);
}

const cluster::HostSet* ClusterManager::hostsOf(const std::string& name) const {
  const Entry* entry = find(name);
  return entry != nullptr && entry->active ? entry->active->hosts.get() : nullptr;
}

ClusterManager::Entry& ClusterManager::entryOf(const ConfigPtr& config) {
  std::unique_ptr<Entry>& entry = entries_[config->name];
  if (entry) return *entry;
  entry = std::make_unique<Entry>();
  if (boot != nullptr) {
    entry->first = boot->add([name = config->name, made = entry.get()] {
      return withWaits(absl::StrCat("cluster '", name, "'"), made->warming ? made->warming->init.get() : nullptr);
    });
  }
  entry->id = names_.idOf(config->name);
  names_.keep(entry->id);
  observability::Scope scope = registry_.scope("cluster", config->stat_name);
  entry->stats = makeStats(scope);
  entry->stats.hold = observability::Scope::share(std::move(scope));
  entry->monitors = std::make_unique<cluster::HostMonitors>(main_, [this, at = entry.get()] { rebuild(*at); });
  entry->merge = std::make_unique<MergeWindow>(main_, [this, at = entry.get()] { publish(*at); });
  entry->health = std::make_unique<ClusterHealth>(health_world_, *entry->monitors, entry->stats, seed_ ^ entry->id);
  return *entry;
}

std::unique_ptr<InitManager> ClusterManager::newInit(const std::string& name) {
  const bool started = boot == nullptr || boot->done();
  return std::make_unique<InitManager>(main_, logger_, absl::StrCat("cluster '", name, "'"), /*replaces=*/false,
                                       started ? waitingSince(name) + patience : event::TimePoint());
}

event::TimePoint ClusterManager::waitingSince(const std::string& name) const {
  const Entry* const entry = find(name);
  return entry == nullptr || !entry->warming ? main_.now() : entry->warming->since;
}

bool ClusterManager::set(ConfigPtr config, Proto proto, bool is_static, const std::string& version,
                         std::unique_ptr<InitManager> init) {
  if (const Entry* known = find(config->name); known != nullptr && known->is_static && !is_static) return false;
  const std::string name = config->name;
  Entry& entry = entryOf(config);
  const bool is_new = entry.leaving != 0 || (!entry.active && !entry.warming);
  stay(entry);
  entry.is_static = is_static;
  Generation* newest = entry.warming ? entry.warming.get() : entry.active.get();
  const bool same = newest != nullptr && newest->config->content_hash == config->content_hash;
  if (is_new || !same) cells_.add(is_new ? cluster_added_ : cluster_modified_);
  if (same) {
    newest->version = version;
    return true;
  }
  uncount(entry);
  const event::TimePoint since = waitingSince(name);
  const std::unique_ptr<Generation> old = std::move(entry.warming);
  if (old && entry.active) entry.health->setHosts(*entry.active->hosts);  // no more those that were to come
  if (entry.active && entry.active->config->content_hash == config->content_hash) {
    entry.active->version = version;  // back to what serves
    count(entry);
  } else {
    entry.warming = std::make_unique<Generation>(*this);
    count(entry);
    Generation& next = *entry.warming;
    next.since = since;
    next.init = init ? std::move(init) : newInit(name);
    next.config = std::move(config);
    next.proto = std::move(proto);
    next.version = version;
    next.updated = std::chrono::system_clock::now();
    startWarming(entry);
    next.init->start([this, &entry] { activate(entry); });
  }
  return true;
}

// Endpoints that what serves has not either are not waited for.
std::chrono::milliseconds ClusterManager::patienceWithHosts(const Entry& entry, const Generation& generation) {
  const cluster::ClusterKind& kind = *generation.config->kind;
  const cluster::ClusterKind* const before = entry.active ? entry.active->config->kind.get() : nullptr;
  const bool known = before != nullptr && before->subscribes() && before->serviceName() == kind.serviceName();
  return kind.subscribes() && !known ? generation.init->patience() : std::chrono::milliseconds(0);
}

void ClusterManager::startWarming(Entry& entry) {
  Generation& generation = *entry.warming;
  cluster::HostSource::Owner owner{generation.config->name, seed_ ^ entry.id,
                                   entry.active ? entry.active->hosts : nullptr};
  generation.source = generation.config->kind->makeSource({main_, resolver_, *this}, std::move(owner), generation);
  generation.source->start();
  const auto patience = patienceWithHosts(entry, generation);
  if (generation.endpoints || (generation.answered && patience.count() == 0)) return;
  const cluster::HostSource::Wait wait = generation.source->wait();
  if (generation.answered) {
    generation.hosts_wait = generation.init->add(wait.what, patience);
    return;
  }
  const bool for_ever = wait.deadline.count() == 0;
  generation.hosts_wait = generation.init->add(wait.what, for_ever ? wait.deadline : std::max(wait.deadline, patience));
  if (before_xds != nullptr && !generation.config->kind->subscribes()) {
    generation.names_wait = before_xds->add(wait.what);
  }
}

ClusterManager::Entry* ClusterManager::ownerOf(const Generation& generation) {
  const auto found = entries_.find(generation.config->name);
  if (found == entries_.end()) return nullptr;
  Entry& entry = *found->second;
  return &generation == entry.active.get() || &generation == entry.warming.get() ? &entry : nullptr;
}

void ClusterManager::buildHosts(const Entry& entry, Generation& generation) {
  const cluster::HostSet* previous = entry.active ? entry.active->hosts.get() : nullptr;
  const cluster::HostSetPtr counted = generation.hosts;
  const cluster::AssignmentPtr endpoints = withKeptHosts(generation.endpoints, counted.get(), *generation.config);
  const bool by_zones = local_ && local_->name != generation.config->name;
  generation.hosts = cluster::HostSet::build(*endpoints, generation.config->lb.hosts, previous, entry.monitors.get(),
                                             by_zones ? local_->zones : nullptr);
  if (const auto obstacle = generation.hosts->zoneObstacle()) entry.stats.zones.countBuilt(*obstacle, cells_);
  countTransports(generation.config->transport_matches, *generation.hosts, counted.get(), cells_);
}

void ClusterManager::onEndpoints(Generation& generation, cluster::AssignmentPtr endpoints) {
  Entry* const entry = ownerOf(generation);
  if (entry == nullptr) return;
  generation.endpoints = std::move(endpoints);
  generation.answered = true;
  const bool is_new = !entry->active;
  if (is_new) entry->health->use(generation.config);
  const cluster::HostSetPtr before = generation.hosts;
  buildHosts(*entry, generation);
  watchHosts(*entry, generation);
  if (&generation == entry->active.get()) return publishHosts(*entry, *before);
  generation.names_wait.ready();
  generation.hosts_wait.ready();
}

// A new cluster serves when each of its hosts was checked once; so does a changed one none of whose hosts may get
// requests before.
void ClusterManager::watchHosts(Entry& entry, Generation& generation) {
  const cluster::HostSet* const coming = entry.active && entry.warming ? entry.warming->hosts.get() : nullptr;
  entry.health->setHosts(entry.active ? *entry.active->hosts : *generation.hosts, coming);
  if (&generation == entry.active.get() || generation.config->health_checks.empty()) return;
  if (!entry.health->pending() || generation.checks_wait.pending()) return;
  const cluster::HostSet& hosts = *generation.hosts;
  const bool serves =
      hosts.countWithHealth(cluster::Health::kHealthy) + hosts.countWithHealth(cluster::Health::kDegraded) > 0;
  if (entry.active && (serves || hosts.entries().empty())) return;
  cluster::HealthCheckConfig::Millis longest{0};
  for (const auto& check : generation.config->health_checks) {
    longest = std::max(longest, check->initial_jitter + check->timeout + std::chrono::seconds(1));
  }
  generation.checks_wait = generation.init->add("first health checks", longest);
  entry.health->on_checked = [&entry] {
    if (entry.warming) entry.warming->checks_wait.ready();
  };
}

void ClusterManager::onNoEndpoints(Generation& generation, std::string_view why) {
  const Entry* const entry = ownerOf(generation);
  if (entry == nullptr) return;
  generation.answered = true;
  if (!generation.hosts_wait.pending()) return;
  if (const auto patience = patienceWithHosts(*entry, generation); patience.count() > 0) {
    generation.names_wait.ready();
    return generation.hosts_wait.absent(patience);
  }
  logger_.warning("cluster", "cluster '", generation.config->name, "' ", why, "; it goes on without");
  generation.names_wait.ready();
  generation.hosts_wait.ready();
}

// The health of hosts is another, or the zones that requests come from.
void ClusterManager::rebuild(Entry& entry) {
  if (entry.warming && entry.warming->endpoints) buildHosts(entry, *entry.warming);
  if (!entry.active) return;
  const cluster::HostSetPtr before = entry.active->hosts;
  buildHosts(entry, *entry.active);
  if (!cluster::sameHosts(*before, *entry.active->hosts)) watchHosts(entry, *entry.active);  // one that was kept went
  publishHosts(entry, *before);
}

upstream::cluster::HostMonitors* ClusterManager::monitorsOf(const std::string& name) {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : found->second->monitors.get();
}

void ClusterManager::activate(Entry& entry) {
  uncount(entry);
  if (!entry.warming->endpoints) {  // it goes on with those that there were
    static const auto kNone = std::make_shared<const Assignment>();
    entry.warming->endpoints = entry.active ? entry.active->endpoints : kNone;
    buildHosts(entry, *entry.warming);
  }
  // The old generation may be on the stack below (its timer or its resolver calls us).
  struct Old : event::Deferred {
    explicit Old(std::unique_ptr<Generation> g) : generation(std::move(g)) {}
    std::unique_ptr<Generation> generation;
  };
  const bool had_active = entry.active != nullptr;
  const cluster::HostSetPtr before = had_active ? entry.active->hosts : nullptr;
  if (had_active) {
    entry.active->source->suspend();
    main_.deleteLater(std::make_unique<Old>(std::move(entry.active)));
  }
  entry.active = std::move(entry.warming);
  if (had_active || entry.active->hosts->entries().empty()) entry.health->use(entry.active->config);
  entry.health->setHosts(*entry.active->hosts);
  count(entry);
  const cluster::ClusterConfig& config = *entry.active->config;
  // What is in flight stays counted when limits change.
  if (entry.breakers) {
    entry.breakers->setLimits(config.thresholds);
  } else {
    entry.breakers = std::make_shared<cluster::Breakers>(config.thresholds);
  }
  if (on_hosts_left && before != nullptr) on_hosts_left(entry, *before, entry.active->hosts.get());
  publish(entry);
  logger_.debug("cluster", "cluster '", config.name, "' is active");
  if (on_serves) on_serves(config.name);
  entry.first.ready();
}

// Around each change of an entry's generations: cost follows the change, not the number of clusters.
void ClusterManager::uncount(const Entry& entry) {
  if (entry.leaving != 0) return;
  cells_.sub(active_clusters_, entry.active ? 1 : 0);
  cells_.sub(warming_clusters_, entry.warming ? 1 : 0);
}

void ClusterManager::count(const Entry& entry) {
  if (entry.leaving != 0) return;
  cells_.add(active_clusters_, entry.active ? 1 : 0);
  cells_.add(warming_clusters_, entry.warming ? 1 : 0);
}

void ClusterManager::publishHosts(Entry& entry, const cluster::HostSet& before) {
  const bool may_wait = cluster::sameHosts(before, *entry.active->hosts);
  if (!may_wait && on_hosts_left) on_hosts_left(entry, before, entry.active->hosts.get());
  if (may_wait && entry.merge->waits(entry.active->config->host_changes.merge_window)) {
    countHosts(entry);
    return followLocalZones(entry);
  }
  publish(entry);
}

void ClusterManager::routeByZones(std::string local_cluster, cluster::Locality own) {
  local_ = {std::move(local_cluster), std::move(own), nullptr};
}

// Of the local cluster: where its hosts are has become another, all that is routed by zones is split anew.
void ClusterManager::followLocalZones(const Entry& entry) {
  if (!local_ || entry.active->config->name != local_->name) return;
  cluster::LocalZones zones = cluster::localZonesOf(*entry.active->hosts, local_->own);
  if (local_->zones && *local_->zones == zones) return;
  local_->zones = std::make_shared<const cluster::LocalZones>(std::move(zones));
  for (const auto& [name, other] : entries_) {
    const auto byZones = [](const auto& generation) { return generation && generation->config->lb.hosts.zones; };
    if (other.get() != &entry && (byZones(other->active) || byZones(other->warming))) rebuild(*other);
  }
}

// What main knows, even if workers are told of it later.
void ClusterManager::countHosts(const Entry& entry) {
  const cluster::HostSet& hosts = *entry.active->hosts;
  cells_.set(entry.stats.membership_total, static_cast<int64_t>(hosts.hostCount()));
  cells_.set(entry.stats.membership_healthy, static_cast<int64_t>(hosts.countWithHealth(cluster::Health::kHealthy)));
}

void ClusterManager::publish(Entry& entry) {
  entry.merge->told();
  const Generation& generation = *entry.active;
  countHosts(entry);
  auto published = std::make_shared<upstream::PublishedCluster>();
  published->id = entry.id;
  published->config = generation.config;
  published->breakers = entry.breakers;
  published->stats = entry.stats;
  published->hosts = upstream::lb::LbPolicy::prepare(generation.config->lb.policy.get(), generation.hosts);
  published->late_counters = entry.late_counters;
  published->own_zone = own_zone_;
  if (generation.config->outlier) published->outlier_reports = entry.health->reports();
  published->fail_reports = entry.health->failReports();
  workers_.postAll([published](Worker& worker) { worker.clusters().set(published); });
  followLocalZones(entry);
}

void ClusterManager::remove(const std::string& name) {
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second->is_static || found->second->leaving != 0) return;
  Entry& entry = *found->second;
  cells_.add(cluster_removed_);
  uncount(entry);
  if (entry.warming && entry.active) entry.health->setHosts(*entry.active->hosts);
  entry.warming.reset();
  if (entry.active) entry.active->source->suspend();
  entry.leaving = next_leaving_++;
  if (entry.active && names_.used(entry.id)) {
    leave(name, entry);
  } else {
    drop(name);
  }
}

void ClusterManager::leave(const std::string& name, const Entry& entry) {
  leaving_.emplace(entry.leaving, name);
  if (leaving_.size() <= max_leaving_) return;
  const std::string oldest = leaving_.begin()->second;
  logger_.warning("cluster", "cluster '", oldest, "' was removed while routes or filters name it, and ", max_leaving_,
                  " others were after it; it goes, and requests that are led to it fail; remove what names it");
  drop(oldest);
}

// It came back before everything that names it had gone.
void ClusterManager::stay(Entry& entry) {
  if (entry.leaving == 0) return;
  leaving_.erase(std::exchange(entry.leaving, 0));
  count(entry);
  entry.active->source->resume();
}

// `name` is leaving.
void ClusterManager::drop(const std::string& name) {
  const auto found = entries_.find(name);
  const std::unique_ptr<Entry> entry = std::move(found->second);
  entries_.erase(found);
  leaving_.erase(entry->leaving);
  if (on_hosts_left && entry->active) on_hosts_left(*entry, *entry->active->hosts, nullptr);
  workers_.postAll([id = entry->id](Worker& worker) { worker.clusters().remove(id); });
  names_.letGo(entry->id);
}

// Nothing names the cluster any more; or something does again by now.
void ClusterManager::onUnused(uint32_t id) {
  if (names_.used(id)) return;
  const std::string name(names_.nameOf(id));
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second->id != id) return names_.forgetUnused(id);
  if (found->second->leaving != 0) drop(name);
}

// --- endpoints -------------------------------------------------------------------------------------------------------

class ClusterManager::EdsWatch final : public cluster::Endpoints::Watch {
 public:
  EdsWatch(ClusterManager& manager, ResourceKey key, uint64_t number, Entry& entry, Watcher& watcher)
      : manager_(manager), key_(std::move(key)), number_(number), entry_(entry), watcher_(watcher) {}
  ~EdsWatch() override { manager_.unwatch(*this); }

  cluster::AssignmentPtr known() const override { return manager_.eds_.at(key_).assignment; }
  bool givenUp() const override { return manager_.eds_.at(key_).given_up; }

  const ResourceKey& key() const { return key_; }
  uint64_t number() const { return number_; }
  Entry& entry() const { return entry_; }
  Watcher& watcher() const { return watcher_; }

 private:
  ClusterManager& manager_;
  const ResourceKey key_;
  const uint64_t number_;
  Entry& entry_;
  Watcher& watcher_;
};

std::unique_ptr<cluster::Endpoints::Watch> ClusterManager::watch(std::string_view cluster, const std::string& source,
                                                                 const std::string& name, Watcher& watcher) {
  envoy::config::core::v3::ConfigSource proto;
  proto.ParseFromString(source);
  Entry& entry = *entries_.find(std::string(cluster))->second;
  auto watch = std::make_unique<EdsWatch>(*this, keyOf(proto, name, self_source), next_watch_++, entry, watcher);
  const auto [eds, is_new] = eds_.try_emplace(watch->key());
  eds->second.watches.emplace(watch->number(), watch.get());
  if (!entry.discovery) {
    entry.discovery = std::make_unique<DiscoveryStats>(
        DiscoveryStats::Of::kEndpoints,
        registry_.scope("cluster", (entry.warming ? entry.warming : entry.active)->config->stat_name), cells_);
  }
  if (is_new && on_eds_wanted) on_eds_wanted(watch->key(), proto);
  entry.discovery->asked();
  const Eds& known = eds_.at(watch->key());
  if (known.assignment) entry.discovery->accepted(known.version, true);
  return watch;
}

void ClusterManager::unwatch(const EdsWatch& watch) {
  const auto eds = eds_.find(watch.key());
  eds->second.watches.erase(watch.number());
  if (!eds->second.watches.empty()) return;
  eds_.erase(eds);
  if (on_eds_unwanted) on_eds_unwanted(watch.key());
}

// The newest first: a generation that warms becomes the active one, and the one that was is passed over then. What is
// told may end any watch.
void ClusterManager::forEachWatcher(const ResourceKey& key, const std::function<void(Watcher&)>& tell) {
  uint64_t before = next_watch_;
  for (auto eds = eds_.find(key); eds != eds_.end(); eds = eds_.find(key)) {
    auto next = eds->second.watches.lower_bound(before);
    if (next == eds->second.watches.begin()) return;
    --next;
    before = next->first;
    tell(next->second->watcher());
  }
}

void ClusterManager::setAssignment(const ResourceKey& key, Assignment assignment, const std::string& version) {
  const auto eds = eds_.find(key);
  if (eds == eds_.end()) return;
  eds->second.given_up = false;
  const bool changed = !eds->second.assignment || *eds->second.assignment != assignment;
  const auto endpoints = std::make_shared<const Assignment>(std::move(assignment));
  eds->second.assignment = endpoints;
  eds->second.before_stale = nullptr;
  eds->second.version = version;
  forEachDiscovery(key.source, key.name, [&](DiscoveryStats& stats) { stats.accepted(version, changed); });
  endsAfter(key, endpoints->stale_after);
  forEachWatcher(key, [&](Watcher& watcher) { watcher.onEndpoints(endpoints); });
}

// (proto: ClusterLoadAssignment.Policy.endpoint_stale_after)
void ClusterManager::endsAfter(const ResourceKey& key, std::chrono::milliseconds time) {
  Eds& eds = eds_.at(key);
  eds.stale.reset();
  if (time.count() == 0) return;
  forEachDiscovery(key.source, key.name, [](DiscoveryStats& stats) { stats.expires(); });
  eds.stale = std::make_unique<event::Timer>(main_.timers(), [this, key] { onStale(ResourceKey(key)); });
  eds.stale->arm(time);
}

void ClusterManager::repeatAssignment(const ResourceKey& key) {
  const auto eds = eds_.find(key);
  if (eds == eds_.end() || !eds->second.assignment || eds->second.assignment->stale_after.count() == 0) return;
  if (const cluster::AssignmentPtr before = eds->second.before_stale) {
    return setAssignment(key, Assignment(*before), std::string(eds->second.version));
  }
  endsAfter(key, eds->second.assignment->stale_after);
}

// Its hosts may not be there any more: they are forgotten, as Envoy does, so that not even a panic uses them.
void ClusterManager::onStale(const ResourceKey& key) {
  logger_.warning("cluster", "endpoints '", key.name, "' got no news within their endpoint_stale_after; they are no ",
                  "longer used");
  Eds& eds = eds_.at(key);
  auto none = std::make_shared<Assignment>(*eds.assignment);
  none->localities.clear();
  eds.before_stale = std::exchange(eds.assignment, none);
  forEachDiscovery(key.source, key.name, [](DiscoveryStats& stats) { stats.expired(); });
  forEachWatcher(key, [&](Watcher& watcher) { watcher.onEndpoints(none); });
}

void ClusterManager::giveUpAssignment(const ResourceKey& key) {
  const auto eds = eds_.find(key);
  if (eds == eds_.end() || eds->second.assignment) return;
  eds->second.given_up = true;
  forEachWatcher(key, [](Watcher& watcher) { watcher.onNoEndpoints(); });
}

void ClusterManager::forEachDiscovery(std::string_view source, std::string_view name,
                                      const std::function<void(DiscoveryStats&)>& visit) {
  for (auto at = eds_.lower_bound({std::string(source), std::string(name)}); at != eds_.end(); ++at) {
    const auto& [key, eds] = *at;
    if (key.source != source || (!name.empty() && key.name != name)) return;
    std::set<const Entry*> seen;  // two generations of a cluster may watch
    for (const auto& [number, watch] : eds.watches) {
      if (seen.insert(&watch->entry()).second) visit(*watch->entry().discovery);
    }
  }
}

}  // namespace sluice::server
