#include "source/server/live_configuration.h"

#include "absl/strings/str_cat.h"
#include "source/xds/resource_type.h"

namespace sluice::server {
namespace {

namespace cluster = upstream::cluster;

const char* textOf(cluster::Health health) {
  switch (health) {
    case cluster::Health::kHealthy:
      return "healthy";
    case cluster::Health::kDegraded:
      return "degraded";
    case cluster::Health::kUnhealthy:
      return "unhealthy";
    case cluster::Health::kDraining:
      return "draining";
    case cluster::Health::kTimeout:
      return "timeout";
  }
  return "";
}

std::string reasonOf(const cluster::HostMonitor& monitor) {
  std::string out;
  for (const cluster::HealthInput input : {cluster::HealthInput::kActiveCheck, cluster::HealthInput::kEjection}) {
    const std::string& reason = monitor.reason(input);
    if (!reason.empty()) absl::StrAppend(&out, out.empty() ? "" : "; ", reason);
  }
  return out;
}

std::string textOf(const cluster::Locality& locality) {
  if (locality == cluster::Locality()) return {};
  return absl::StrCat(locality.region, "/", locality.zone, "/", locality.sub_zone);
}

}  // namespace

template <typename Protos>
std::string LiveConfiguration::pathOf(const Protos& protos, const char* field, const std::string& name) const {
  for (int i = 0; i < protos.size(); ++i) {
    if (protos[i].name() == name) return absl::StrCat("static_resources.", field, "[", i, "]");
  }
  return {};
}

std::vector<explain::Listener> LiveConfiguration::listeners() const {
  std::vector<explain::Listener> out;
  for (const auto& [name, entry] : deps_.listeners.entries()) {
    if (!entry.active) continue;
    explain::Listener& shown = out.emplace_back();
    shown.compiled = &entry.active->compiled;
    shown.proto = &entry.active->proto;
    shown.addresses = entry.active->bound;
    if (entry.is_static) shown.path = pathOf(deps_.bootstrap.static_resources().listeners(), "listeners", name);
    if (!entry.warming) continue;
    const std::string waits = entry.warming->init ? entry.warming->init->waits() : std::string();
    shown.note =
        absl::StrCat("another version is to take its place and waits for ", waits.empty() ? "its turn" : waits);
  }
  return out;
}

std::optional<envoy::config::route::v3::RouteConfiguration> LiveConfiguration::routesByName(
    const std::string& name) const {
  if (deps_.subscriptions == nullptr) return std::nullopt;
  for (const xds::Verdict& verdict : deps_.subscriptions->verdicts(xds::kRouteType)) {
    envoy::config::route::v3::RouteConfiguration routes;
    if (verdict.name == name && verdict.body && verdict.body->UnpackTo(&routes)) return routes;
  }
  return std::nullopt;
}

std::optional<explain::Cluster> LiveConfiguration::cluster(const std::string& name) const {
  const ClusterManager::Entry* const entry = deps_.clusters.find(name);
  if (entry == nullptr || !entry->active) return std::nullopt;
  const std::string path =
      entry->is_static ? pathOf(deps_.bootstrap.static_resources().clusters(), "clusters", name) : std::string();
  explain::Cluster out = explain::describeCluster(entry->active->proto, path);
  out.hosts.clear();
  out.note.clear();
  if (entry->leaving != 0) out.note = "it was removed, and serves those who name it still";
  if (entry->active->hosts == nullptr) return out;
  for (const cluster::HostSet::Entry& host : entry->active->hosts->entries()) {
    out.hosts.push_back({.address = host.host->address().toString(),
                         .hostname = host.host->hostname(),
                         .weight = host.weight,
                         .priority = host.priority,
                         .locality = textOf(*host.locality),
                         .health = textOf(host.health),
                         .reason = reasonOf(host.host->monitor())});
  }
  return out;
}

}  // namespace sluice::server
