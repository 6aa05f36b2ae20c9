#include "source/server/load_reporter.h"

#include <chrono>
#include <utility>

#include "source/server/proto_address.h"

namespace sluice::server {

namespace cluster = upstream::cluster;
namespace v3 = envoy::config::endpoint::v3;
using cluster::HostStat;

namespace {

void setInterval(event::Duration from, google::protobuf::Duration& out) {
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(from);
  out.set_seconds(whole.count());
  out.set_nanos(static_cast<int32_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(from - whole).count()));
}

}  // namespace

// --- counts

LoadReporter::Counts LoadReporter::Counts::of(const cluster::HostStats& stats) {
  Counts out;
  out.succeeded = stats.sum(HostStat::kRqSuccess);
  out.failed = stats.sum(HostStat::kRqError);
  out.issued = stats.sum(HostStat::kRqTotal);
  out.connected = stats.sum(HostStat::kCxTotal);
  out.connect_failed = stats.sum(HostStat::kCxConnectFail);
  out.running = stats.sum(HostStat::kRqActive);
  out.connections = stats.sum(HostStat::kCxActive);
  return out;
}

LoadReporter::Counts LoadReporter::Counts::since(const Counts& before) const {
  Counts out = *this;
  out.succeeded -= before.succeeded;
  out.failed -= before.failed;
  out.issued -= before.issued;
  out.connected -= before.connected;
  out.connect_failed -= before.connect_failed;
  return out;
}

void LoadReporter::Counts::add(const Counts& other) {
  succeeded += other.succeeded;
  failed += other.failed;
  issued += other.issued;
  connected += other.connected;
  connect_failed += other.connect_failed;
  running += other.running;
  connections += other.connections;
}

bool LoadReporter::Counts::none() const {
  return (succeeded | failed | issued | connected | connect_failed | running | connections) == 0;
}

// --- who is watched

LoadReporter::LoadReporter(ClusterManager& clusters, const observability::StatsRegistry& stats,
                           std::function<event::TimePoint()> now)
    : clusters_(clusters), registry_(stats), now_(std::move(now)) {
  clusters_.on_hosts_left = [this](const ClusterManager::Entry& entry, const cluster::HostSet& before,
                                   const cluster::HostSet* after) { onHostsLeft(entry, before, after); };
}

LoadReporter::~LoadReporter() {
  clusters_.on_hosts_left = nullptr;
}

void LoadReporter::onWanted(xds::LoadStatsWanted wanted) {
  names_.clear();
  names_.insert(wanted.clusters.begin(), wanted.clusters.end());
  wanted_ = std::move(wanted);
  wanted_.clusters.clear();
  since_ = now_();
  std::erase_if(loads_, [this](const auto& load) { return !wants(load.first); });
  for (const auto& [name, entry] : clusters_.entries()) {
    if (entry->active && wants(name) && !loads_.contains(name)) begin(*entry, true);
  }
}

void LoadReporter::begin(const ClusterManager::Entry& entry, bool counted) {
  const ClusterManager::Generation& active = *entry.active;
  Load& load = loads_[active.config->name];
  load.stats = entry.stats;
  load.since = since_;
  if (!counted) return;
  load.told = dropsOf(load);
  for (const cluster::HostSet::Entry& each : active.hosts->entries()) {
    const Counts counts = Counts::of(each.host->stats());
    if (!counts.none()) hostOf(load, each).told = counts;
  }
}

LoadReporter::Host& LoadReporter::hostOf(Load& load, const cluster::HostSet::Entry& entry) {
  Host& host = load.hosts[&entry.host->monitor()];
  if (host.monitor == nullptr) {
    host.monitor = entry.host->monitorPtr();
    host.place = {entry.priority, *entry.locality};
  }
  return host;
}

void LoadReporter::onHostsLeft(const ClusterManager::Entry& entry, const cluster::HostSet& before,
                               const cluster::HostSet* after) {
  const std::string& name = entry.active->config->name;
  if (!wants(name)) return;
  if (!loads_.contains(name)) begin(entry, false);
  Load& load = loads_.at(name);
  for (const cluster::HostSet::Entry& each : before.entries()) {
    if (after != nullptr && after->host(each.host->slot()) == each.host.get()) continue;
    hostOf(load, each).seen = reports_;
  }
}

// --- reports

LoadReporter::Drops LoadReporter::dropsOf(const Load& load) const {
  return {.overload = registry_.counterValue(load.stats.rq_drop_overload),
          .breakers =
              registry_.counterValue(load.stats.rq_pending_overflow) + registry_.counterValue(load.stats.rq_overflow)};
}

// The cluster was removed and came again: under the same name in stats its counters have gone on.
void LoadReporter::followStats(Load& load, const cluster::ClusterStats& stats) {
  if (load.stats.hold == stats.hold) return;
  const Drops now = dropsOf(load);
  load.untold.overload += now.overload - load.told.overload;
  load.untold.breakers += now.breakers - load.told.breakers;
  const bool go_on = load.stats.rq_drop_overload.id == stats.rq_drop_overload.id;
  load.stats = stats;
  load.told = go_on ? now : Drops();
}

LoadReporter::Drops LoadReporter::takeDrops(Load& load) const {
  const Drops now = dropsOf(load);
  const Drops before = std::exchange(load.told, now);
  Drops out = std::exchange(load.untold, {});
  out.overload += now.overload - before.overload;
  out.breakers += now.breakers - before.breakers;
  return out;
}

// A host in two priorities counts in the first.
void LoadReporter::seeHosts(Load& load, const ClusterManager::Entry& entry) {
  const ClusterManager::Generation& active = *entry.active;
  followStats(load, entry.stats);
  load.service_name = active.config->kind->serviceName();
  load.drop_categories = active.hosts->dropCategories();
  for (const cluster::HostSet::Entry& each : active.hosts->entries()) {
    if (!load.hosts.contains(&each.host->monitor()) && Counts::of(each.host->stats()).none()) continue;
    Host& host = hostOf(load, each);
    if (std::exchange(host.seen, reports_) != reports_) host.place = {each.priority, *each.locality};
  }
}

// Workers hear a little later that a host has left: it is forgotten after two reports without it.
void LoadReporter::reportHosts(Load& load, std::map<Place, PlaceReport>& places) {
  for (auto at = load.hosts.begin(); at != load.hosts.end();) {
    Host& host = at->second;
    const Counts now = Counts::of(host.monitor->stats());
    const Counts since = now.since(host.told);
    host.told = now;
    if (since.none()) {
      at = reports_ - host.seen <= 1 ? std::next(at) : load.hosts.erase(at);
      continue;
    }
    PlaceReport& place = places[host.place];
    place.sum.add(since);
    if (wanted_.endpoints) {
      v3::UpstreamEndpointStats& out = *place.out.add_upstream_endpoint_stats();
      setAddress(host.monitor->identity().address, *out.mutable_address());
      out.set_total_successful_requests(since.succeeded);
      out.set_total_error_requests(since.failed);
      out.set_total_requests_in_progress(since.running);
      out.set_total_issued_requests(since.issued);
    }
    ++at;
  }
}

bool LoadReporter::report(Load& load, v3::ClusterStats& out) {
  std::map<Place, PlaceReport> places;
  reportHosts(load, places);
  for (auto& [place, report] : places) {
    v3::UpstreamLocalityStats& stats = *out.add_upstream_locality_stats();
    stats = std::move(report.out);
    stats.mutable_locality()->set_region(place.locality.region);
    stats.mutable_locality()->set_zone(place.locality.zone);
    stats.mutable_locality()->set_sub_zone(place.locality.sub_zone);
    stats.set_priority(place.priority);
    stats.set_total_successful_requests(report.sum.succeeded);
    stats.set_total_error_requests(report.sum.failed);
    stats.set_total_requests_in_progress(report.sum.running);
    stats.set_total_issued_requests(report.sum.issued);
    stats.set_total_active_connections(report.sum.connections);
    stats.set_total_new_connections(report.sum.connected);
    stats.set_total_fail_connections(report.sum.connect_failed);
  }
  const Drops drops = takeDrops(load);
  out.set_total_dropped_requests(drops.overload + drops.breakers);
  if (drops.overload > 0) {
    v3::ClusterStats::DroppedRequests& dropped = *out.add_dropped_requests();
    dropped.set_category(load.drop_categories);
    dropped.set_dropped_count(drops.overload);
  }
  out.set_cluster_service_name(load.service_name);
  const event::TimePoint time = now_();
  setInterval(time - std::exchange(load.since, time), *out.mutable_load_report_interval());
  return !places.empty() || out.total_dropped_requests() > 0;
}

void LoadReporter::takeReport(Report& out) {
  ++reports_;
  for (const auto& [name, entry] : clusters_.entries()) {
    if (!entry->active || !wants(name)) continue;
    if (!loads_.contains(name)) begin(*entry, false);
    seeHosts(loads_.at(name), *entry);
  }
  for (auto at = loads_.begin(); at != loads_.end();) {
    v3::ClusterStats stats;
    stats.set_cluster_name(at->first);
    const bool happened = report(at->second, stats);
    const ClusterManager::Entry* const entry = clusters_.find(at->first);
    const bool there = entry != nullptr && entry->active;
    if (happened || (there && !wanted_.all)) *out.Add() = std::move(stats);
    at = there || !at->second.hosts.empty() ? std::next(at) : loads_.erase(at);
  }
  since_ = now_();
}

}  // namespace sluice::server
