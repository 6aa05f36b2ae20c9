#include "source/server/cluster_manager.h"

namespace sluice::server {

namespace cluster = upstream::cluster;
using cluster::DiscoveryType;

namespace {

bool waitsForSecrets(const ClusterManager::Generation& generation) {
  return generation.config->transport != nullptr && generation.config->transport->warming();
}

upstream::pool::ClusterStats makeStats(observability::Scope& scope) {
  upstream::pool::ClusterStats s;
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
  s.rq_retry = counter("upstream_rq_retry");
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

}  // namespace

ClusterManager::ClusterManager(event::Loop& main, Workers& workers, observability::StatsRegistry& stats,
                               observability::StatsCells& cells, route::ClusterNames& names, net::DnsResolver& resolver,
                               observability::Logger& logger, uint64_t seed)
    : main_(main),
      workers_(workers),
      registry_(stats),
      cells_(cells),
      names_(names),
      resolver_(resolver),
      logger_(logger),
      seed_(seed),
      active_clusters_(stats.gauge("cluster_manager.active_clusters")),
      warming_clusters_(stats.gauge("cluster_manager.warming_clusters")),
      cluster_added_(stats.counter("cluster_manager.cluster_added")),
      cluster_modified_(stats.counter("cluster_manager.cluster_modified")),
      cluster_removed_(stats.counter("cluster_manager.cluster_removed")) {}

const ClusterManager::Entry* ClusterManager::find(const std::string& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : found->second.get();
}

const cluster::HostSet* ClusterManager::hostsOf(const std::string& name) const {
  const Entry* entry = find(name);
  return entry != nullptr && entry->active ? entry->active->hosts.get() : nullptr;
}

ClusterManager::Entry& ClusterManager::entryOf(const ConfigPtr& config) {
  std::unique_ptr<Entry>& entry = entries_[config->name];
  if (entry) return *entry;
  entry = std::make_unique<Entry>();
  entry->id = names_.idOf(config->name);
  entry->scope = registry_.scope("cluster", config->stat_name);
  entry->stats = makeStats(entry->scope);
  return *entry;
}

bool ClusterManager::set(ConfigPtr config, Proto proto, bool is_static, const std::string& version) {
  if (const Entry* known = find(config->name); known != nullptr && known->is_static && !is_static) return false;
  Entry& entry = entryOf(config);
  entry.is_static = is_static;
  Generation* newest = entry.warming ? entry.warming.get() : entry.active.get();
  if (newest != nullptr && newest->config->content_hash == config->content_hash) {
    newest->version = version;
    return true;
  }
  cells_.add(newest == nullptr ? cluster_added_ : cluster_modified_);
  if (entry.active && entry.active->config->content_hash == config->content_hash) {
    uncount(entry);
    entry.warming.reset();  // back to what serves
    count(entry);
    entry.active->version = version;
  } else {
    uncount(entry);
    entry.warming = std::make_unique<Generation>();
    count(entry);
    entry.warming->config = std::move(config);
    entry.warming->proto = std::move(proto);
    entry.warming->version = version;
    entry.warming->updated = std::chrono::system_clock::now();
    startWarming(entry);
  }
  updateEdsInterest();
  return true;
}

void ClusterManager::startWarming(Entry& entry) {
  Generation& generation = *entry.warming;
  const std::string& name = generation.config->name;
  const cluster::HostSetPtr previous = entry.active ? entry.active->hosts : nullptr;
  const cluster::HostSetOptions options{generation.config->lb.panic_threshold, generation.config->lb.locality_weighted};
  switch (generation.config->discovery) {
    case DiscoveryType::kOriginalDst:  // workers make the hosts
    case DiscoveryType::kStatic:
      return onHosts(name, &generation,
                     cluster::HostSet::build(generation.config->assignment, options, previous.get()));
    case DiscoveryType::kStrictDns:
      generation.dns = std::make_unique<cluster::DnsCluster>(
          main_, resolver_, generation.config, seed_ ^ entry.id,
          [this, name, of = &generation](cluster::HostSetPtr hosts) { onHosts(name, of, std::move(hosts)); }, previous);
      return generation.dns->start();
    case DiscoveryType::kEds: {
      // Endpoints that are known serve at once; no further answer may ever come for them.
      if (const auto known = assignments_.find(generation.config->eds_service_name); known != assignments_.end()) {
        return onHosts(name, &generation, cluster::HostSet::build(known->second, options, previous.get()));
      }
      const auto& source = generation.proto.eds_cluster_config().eds_config();
      const auto timeout = source.has_initial_fetch_timeout()
                               ? std::chrono::milliseconds(source.initial_fetch_timeout().seconds() * 1000 +
                                                           source.initial_fetch_timeout().nanos() / 1'000'000)
                               : std::chrono::milliseconds(15'000);
      if (timeout.count() == 0) return;
      generation.deadline = std::make_unique<event::Timer>(main_.timers(), [this, name, of = &generation, previous] {
        logger_.warning("cluster", "cluster '", name, "' had no endpoints in time; it goes on without");
        onHosts(name, of, previous ? previous : cluster::HostSet::empty());
      });
      generation.deadline->arm(timeout);
    }
  }
}

void ClusterManager::onHosts(const std::string& name, Generation* generation, cluster::HostSetPtr hosts) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  Entry& entry = *found->second;
  if (generation != entry.active.get() && generation != entry.warming.get()) return;
  generation->hosts = std::move(hosts);
  generation->warm = true;
  if (generation->deadline) generation->deadline->cancel();
  if (generation == entry.warming.get()) {
    if (!waitsForSecrets(*generation)) activate(entry);
  } else {
    publish(entry);
  }
}

void ClusterManager::activateWarm() {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) {
    if (entry->warming && entry->warming->warm && !waitsForSecrets(*entry->warming)) names.push_back(name);
  }
  for (const std::string& name : names) {
    const auto found = entries_.find(name);
    if (found != entries_.end() && found->second->warming) activate(*found->second);
  }
}

void ClusterManager::activate(Entry& entry) {
  uncount(entry);
  // The old generation may be on the stack below (its timer or its resolver calls us).
  struct Old : event::Deferred {
    explicit Old(std::unique_ptr<Generation> g) : generation(std::move(g)) {}
    std::unique_ptr<Generation> generation;
  };
  if (entry.active) main_.deleteLater(std::make_unique<Old>(std::move(entry.active)));
  entry.active = std::move(entry.warming);
  count(entry);
  const cluster::ClusterConfig& config = *entry.active->config;
  // What is in flight stays counted when limits change.
  if (entry.breakers) {
    entry.breakers->setLimits(config.thresholds);
  } else {
    entry.breakers = std::make_shared<cluster::Breakers>(config.thresholds);
  }
  publish(entry);
  logger_.debug("cluster", "cluster '", config.name, "' is active");
  if (on_warm) on_warm();
}

// Around each change of an entry's generations: cost follows the change, not the number of clusters.
void ClusterManager::uncount(const Entry& entry) {
  cells_.sub(active_clusters_, entry.active ? 1 : 0);
  cells_.sub(warming_clusters_, entry.warming ? 1 : 0);
}

void ClusterManager::count(const Entry& entry) {
  cells_.add(active_clusters_, entry.active ? 1 : 0);
  cells_.add(warming_clusters_, entry.warming ? 1 : 0);
}

void ClusterManager::publish(Entry& entry) {
  const Generation& generation = *entry.active;
  cells_.set(entry.stats.membership_total, static_cast<int64_t>(generation.hosts->hostCount()));
  cells_.set(entry.stats.membership_healthy,
             static_cast<int64_t>(generation.hosts->countWithHealth(cluster::Health::kHealthy)));
  auto published = std::make_shared<upstream::PublishedCluster>();
  published->id = entry.id;
  published->config = generation.config;
  published->breakers = entry.breakers;
  published->stats = entry.stats;
  published->hosts = generation.hosts;
  published->late_counters = entry.late_counters;
  workers_.postAll([published](Worker& worker) { worker.clusters().set(published); });
}

void ClusterManager::remove(const std::string& name) {
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second->is_static) return;
  workers_.postAll([id = found->second->id](Worker& worker) { worker.clusters().remove(id); });
  uncount(*found->second);
  entries_.erase(found);
  cells_.add(cluster_removed_);
  updateEdsInterest();
  if (on_warm) on_warm();
}

std::string ClusterManager::edsNameOf(const Generation* generation) const {
  if (generation == nullptr || generation->config->discovery != DiscoveryType::kEds) return {};
  return generation->config->eds_service_name;
}

// Tells whoever subscribes which EDS names are wanted now.
void ClusterManager::updateEdsInterest() {
  std::map<std::string, const envoy::config::core::v3::ConfigSource*> wanted;
  for (const auto& [name, entry] : entries_) {
    for (const Generation* generation : {entry->active.get(), entry->warming.get()}) {
      if (const std::string eds = edsNameOf(generation); !eds.empty()) {
        wanted[eds] = &generation->proto.eds_cluster_config().eds_config();
      }
    }
  }
  for (auto at = eds_interest_.begin(); at != eds_interest_.end();) {
    if (wanted.contains(at->first)) {
      ++at;
      continue;
    }
    const std::string gone = at->first;
    at = eds_interest_.erase(at);
    assignments_.erase(gone);
    if (on_eds_unwanted) on_eds_unwanted(gone);
  }
  for (const auto& [eds, source] : wanted) {
    if (eds_interest_.emplace(eds, 1).second && on_eds_wanted) on_eds_wanted(eds, *source);
  }
}

void ClusterManager::setAssignment(const std::string& service_name, Assignment assignment) {
  if (!eds_interest_.contains(service_name)) return;
  for (auto& [name, entry] : entries_) {
    // The warming one first: it becomes the active one, and the one that was is passed over then.
    for (Generation* generation : {entry->warming.get(), entry->active.get()}) {
      if (edsNameOf(generation) != service_name) continue;
      const cluster::HostSetOptions options{generation->config->lb.panic_threshold,
                                            generation->config->lb.locality_weighted};
      const cluster::HostSet* previous = entry->active ? entry->active->hosts.get() : nullptr;
      onHosts(name, generation, cluster::HostSet::build(assignment, options, previous));
    }
  }
  assignments_[service_name] = std::move(assignment);
}

bool ClusterManager::allWarm() const {
  for (const auto& [name, entry] : entries_) {
    if (!entry->active) return false;
  }
  return true;
}

}  // namespace sluice::server
