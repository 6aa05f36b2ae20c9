#include "source/server/config_dump.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "envoy/config/core/v3/extension.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "google/protobuf/util/time_util.h"
#include "source/config/any_type.h"
#include "source/server/proto_address.h"
#include "source/xds/resource_type.h"

namespace sluice::server {
namespace {

namespace v3 = envoy::admin::v3;
namespace cluster = upstream::cluster;
using envoy::config::endpoint::v3::ClusterLoadAssignment;
using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;
using Verdicts = std::vector<xds::Verdict>;

Timestamp timestampOf(std::chrono::system_clock::time_point time) {
  return TimeUtil::MillisecondsToTimestamp(
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
}

Timestamp timestampOf(event::TimePoint time) {
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(event::TimePoint::clock::now() - time);
  return timestampOf(std::chrono::system_clock::now() - age);
}

v3::ClientResourceStatus statusOf(xds::VerdictState state) {
  switch (state) {
    case xds::VerdictState::kRequested:
      return v3::REQUESTED;
    case xds::VerdictState::kAccepted:
      return v3::ACKED;
    case xds::VerdictState::kRejected:
      return v3::NACKED;
    case xds::VerdictState::kDoesNotExist:
      return v3::DOES_NOT_EXIST;
    case xds::VerdictState::kTimeout:
      return v3::TIMEOUT;
    case xds::VerdictState::kFailed:
      return v3::RECEIVED_ERROR;
  }
  return v3::UNKNOWN;
}

// What the verdict says of a dynamic resource, where a message has a place for it.
template <typename Item>
void setVerdict(const xds::Verdict& verdict, Item& item) {
  item.set_client_status(statusOf(verdict.state));
  if (verdict.state != xds::VerdictState::kRejected && verdict.error.empty()) return;
  v3::UpdateFailureState& failure = *item.mutable_error_state();
  failure.set_details(verdict.error);
  failure.set_version_info(verdict.rejected_version);
  if (verdict.rejected_body) *failure.mutable_failed_configuration() = *verdict.rejected_body;
  *failure.mutable_last_update_attempt() =
      timestampOf(verdict.state == xds::VerdictState::kRejected ? verdict.rejected_at : verdict.since);
}

// The same, and what serves.
template <typename Item>
void setResource(const xds::Verdict& verdict, Item& item) {
  item.set_version_info(verdict.version);
  if (verdict.body) *item.mutable_last_updated() = timestampOf(verdict.updated);
  setVerdict(verdict, item);
}

// In the order of names.
Verdicts verdictsOf(const ConfigSources& sources, std::string_view type) {
  Verdicts verdicts;
  if (sources.subscriptions != nullptr) verdicts = sources.subscriptions->verdicts(type);
  std::sort(verdicts.begin(), verdicts.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return verdicts;
}

// `verdicts` are in the order of names.
const xds::Verdict* find(const Verdicts& verdicts, const std::string& name) {
  const auto at = std::lower_bound(verdicts.begin(), verdicts.end(), name,
                                   [](const xds::Verdict& verdict, const std::string& n) { return verdict.name < n; });
  return at == verdicts.end() || at->name != name ? nullptr : &*at;
}

// Of the last accepted response.
std::string versionOf(const ConfigSources& sources, std::string_view type) {
  std::string version;
  if (sources.subscriptions == nullptr) return version;
  sources.subscriptions->forEach([&](const xds::Subscriptions::View& view) {
    if (view.type_url == type && version.empty()) version = view.stats.version_text;
  });
  return version;
}

v3::ClustersConfigDump clustersOf(const ConfigSources& sources) {
  v3::ClustersConfigDump out;
  out.set_version_info(versionOf(sources, xds::kClusterType));
  const Verdicts verdicts = verdictsOf(sources, xds::kClusterType);
  for (const auto& [name, entry] : sources.clusters.entries()) {
    if (entry->leaving != 0) continue;
    for (const ClusterManager::Generation* generation : {entry->active.get(), entry->warming.get()}) {
      if (generation == nullptr) continue;
      if (entry->is_static) {
        auto& item = *out.add_static_clusters();
        item.mutable_cluster()->PackFrom(generation->proto);
        *item.mutable_last_updated() = timestampOf(generation->updated);
        continue;
      }
      auto& item =
          generation == entry->active.get() ? *out.add_dynamic_active_clusters() : *out.add_dynamic_warming_clusters();
      item.set_version_info(generation->version);
      item.mutable_cluster()->PackFrom(generation->proto);
      *item.mutable_last_updated() = timestampOf(generation->updated);
      if (const xds::Verdict* verdict = find(verdicts, name)) setVerdict(*verdict, item);
    }
  }
  for (const xds::Verdict& verdict : verdicts) {
    const ClusterManager::Entry* known = sources.clusters.find(verdict.name);
    if (verdict.body || (known != nullptr && known->leaving == 0)) continue;
    auto& item = *out.add_dynamic_warming_clusters();
    envoy::config::cluster::v3::Cluster named;
    named.set_name(verdict.name);
    item.mutable_cluster()->PackFrom(named);
    setVerdict(verdict, item);
  }
  return out;
}

v3::EcdsConfigDump extensionsOf(const ConfigSources& sources) {
  v3::EcdsConfigDump out;
  for (const xds::Verdict& verdict : verdictsOf(sources, xds::kExtensionType)) {
    auto& item = *out.add_ecds_filters();
    if (verdict.body) {
      *item.mutable_ecds_filter() = *verdict.body;
    } else {
      envoy::config::core::v3::TypedExtensionConfig named;
      named.set_name(verdict.name);
      item.mutable_ecds_filter()->PackFrom(named);
    }
    setResource(verdict, item);
  }
  return out;
}

envoy::config::core::v3::HealthStatus assignedHealth(cluster::Health health) {
  switch (health) {
    case cluster::Health::kHealthy:
      return envoy::config::core::v3::HEALTHY;
    case cluster::Health::kDegraded:
      return envoy::config::core::v3::DEGRADED;
    default:
      return envoy::config::core::v3::UNHEALTHY;
  }
}

// Of what names stand for, too.
ClusterLoadAssignment assignmentOf(const std::string& name, const cluster::HostSet& hosts) {
  ClusterLoadAssignment out;
  out.set_cluster_name(name);
  std::map<std::tuple<uint32_t, std::string, std::string, std::string>, int> groups;
  for (const cluster::HostSet::Entry& entry : hosts.entries()) {
    const cluster::Locality& at = *entry.locality;
    const auto [group, is_new] = groups.try_emplace({entry.priority, at.region, at.zone, at.sub_zone}, groups.size());
    if (is_new) {
      auto& added = *out.add_endpoints();
      added.set_priority(entry.priority);
      added.mutable_locality()->set_region(at.region);
      added.mutable_locality()->set_zone(at.zone);
      added.mutable_locality()->set_sub_zone(at.sub_zone);
    }
    auto& endpoint = *out.mutable_endpoints(group->second)->add_lb_endpoints();
    setAddress(entry.host->address(), *endpoint.mutable_endpoint()->mutable_address());
    endpoint.mutable_endpoint()->set_hostname(entry.host->hostname());
    endpoint.mutable_load_balancing_weight()->set_value(entry.weight);
    endpoint.set_health_status(assignedHealth(entry.assigned));
  }
  return out;
}

v3::EndpointsConfigDump endpointsOf(const ConfigSources& sources) {
  v3::EndpointsConfigDump out;
  for (const auto& [name, entry] : sources.clusters.entries()) {
    if (!entry->active || entry->leaving != 0) continue;
    const ClusterManager::Generation& generation = *entry->active;
    if (generation.proto.type() == envoy::config::cluster::v3::Cluster::EDS) continue;  // told with their verdicts
    const ClusterLoadAssignment assignment = assignmentOf(name, *generation.hosts);
    if (entry->is_static) {
      out.add_static_endpoint_configs()->mutable_endpoint_config()->PackFrom(assignment);
    } else {
      out.add_dynamic_endpoint_configs()->mutable_endpoint_config()->PackFrom(assignment);
    }
  }
  for (const xds::Verdict& verdict : verdictsOf(sources, xds::kEndpointType)) {
    auto& item = *out.add_dynamic_endpoint_configs();
    if (verdict.body) {
      *item.mutable_endpoint_config() = *verdict.body;
    } else {
      ClusterLoadAssignment named;
      named.set_cluster_name(verdict.name);
      item.mutable_endpoint_config()->PackFrom(named);
    }
    setResource(verdict, item);
  }
  return out;
}

void setListener(const ListenerManager::Proto& proto, const std::string& version,
                 std::chrono::system_clock::time_point updated, v3::ListenersConfigDump::DynamicListenerState& out) {
  out.set_version_info(version);
  out.mutable_listener()->PackFrom(proto);
  *out.mutable_last_updated() = timestampOf(updated);
}

void addStaticListener(const ListenerManager::Generation* generation, v3::ListenersConfigDump& out) {
  if (generation == nullptr) return;
  auto& item = *out.add_static_listeners();
  item.mutable_listener()->PackFrom(generation->proto);
  *item.mutable_last_updated() = timestampOf(generation->updated);
}

v3::ListenersConfigDump listenersOf(const ConfigSources& sources) {
  v3::ListenersConfigDump out;
  out.set_version_info(versionOf(sources, xds::kListenerType));
  const Verdicts verdicts = verdictsOf(sources, xds::kListenerType);
  const auto& entries = sources.listeners.entries();
  std::map<std::string_view, v3::ListenersConfigDump::DynamicListener> dynamic;
  for (const auto& [name, entry] : entries) {
    if (entry.is_static) {
      addStaticListener(entry.active ? entry.active.get() : entry.warming.get(), out);
      continue;
    }
    auto& item = dynamic[name];
    if (const auto& active = entry.active) {
      setListener(active->proto, active->version, active->updated, *item.mutable_active_state());
    }
    if (const auto& warming = entry.warming) {
      setListener(warming->proto, warming->version, warming->updated, *item.mutable_warming_state());
    }
  }
  for (const auto& [name, drained] : sources.listeners.drained()) {
    if (drained.until <= event::TimePoint::clock::now()) continue;
    setListener(drained.proto, drained.version, drained.updated, *dynamic[name].mutable_draining_state());
  }
  for (const xds::Verdict& verdict : verdicts) {
    const auto known = entries.find(verdict.name);
    if (known != entries.end() ? !known->second.is_static : !verdict.body) setVerdict(verdict, dynamic[verdict.name]);
  }
  for (auto& [name, item] : dynamic) {
    item.set_name(std::string(name));
    *out.add_dynamic_listeners() = std::move(item);
  }
  return out;
}

v3::ScopedRoutesConfigDump scopesOf(const ConfigSources& sources) {
  v3::ScopedRoutesConfigDump out;
  sources.scopes.forEachFixed([&](const ScopeSet& set) {
    auto& item = *out.add_inline_scoped_route_configs();
    item.set_name(set.name());
    for (const auto& scope : set.config().fixed) item.add_scoped_route_configs()->PackFrom(scope->proto);
    *item.mutable_last_updated() = timestampOf(set.made());
  });
  for (const xds::Verdict& verdict : verdictsOf(sources, xds::kScopedRouteType)) {
    auto& item = *out.add_dynamic_scoped_route_configs();
    item.set_name(verdict.name);
    if (verdict.body) *item.add_scoped_route_configs() = *verdict.body;
    setResource(verdict, item);
  }
  return out;
}

using ConnectionManager = envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

void addInlineRoutes(const google::protobuf::Any& filter, std::chrono::system_clock::time_point updated,
                     v3::RoutesConfigDump& out) {
  if (config::describedType(filter) != ConnectionManager::descriptor()->full_name()) return;
  config::ErrorList ignored;  // it was compiled
  const auto manager = config::unpackOnly<ConnectionManager>(filter, config::Context(ignored));
  if (manager == nullptr || !manager->has_route_config()) return;
  auto& item = *out.add_static_route_configs();
  item.mutable_route_config()->PackFrom(manager->route_config());
  *item.mutable_last_updated() = timestampOf(updated);
}

// Those that stand in connection managers.
void addInlineRoutes(const ListenerManager::Generation& generation, v3::RoutesConfigDump& out) {
  const auto addChain = [&](const envoy::config::listener::v3::FilterChain& chain) {
    for (const auto& filter : chain.filters()) addInlineRoutes(filter.typed_config(), generation.updated, out);
  };
  for (const auto& chain : generation.proto.filter_chains()) addChain(chain);
  addChain(generation.proto.default_filter_chain());
}

v3::RoutesConfigDump routesOf(const ConfigSources& sources) {
  v3::RoutesConfigDump out;
  for (const auto& [name, entry] : sources.listeners.entries()) {
    for (const auto* generation : {entry.active.get(), entry.warming.get()}) {
      if (generation != nullptr) addInlineRoutes(*generation, out);
    }
  }
  for (const xds::Verdict& verdict : verdictsOf(sources, xds::kRouteType)) {
    auto& item = *out.add_dynamic_route_configs();
    if (verdict.body) {
      *item.mutable_route_config() = *verdict.body;
    } else {
      envoy::config::route::v3::RouteConfiguration named;
      named.set_name(verdict.name);
      item.mutable_route_config()->PackFrom(named);
    }
    setResource(verdict, item);
  }
  return out;
}

v3::SecretsConfigDump secretsOf(const ConfigSources& sources) {
  v3::SecretsConfigDump out;
  for (const auto& secret : sources.bootstrap.static_resources().secrets()) {
    auto& item = *out.add_static_secrets();
    item.set_name(secret.name());
    *item.mutable_last_updated() = timestampOf(sources.secrets.started());
    item.mutable_secret()->PackFrom(secret);
  }
  for (const xds::Verdict& verdict : verdictsOf(sources, xds::kSecretType)) {
    auto& item = verdict.body ? *out.add_dynamic_active_secrets() : *out.add_dynamic_warming_secrets();
    item.set_name(verdict.name);
    if (verdict.body) *item.mutable_secret() = *verdict.body;
    setResource(verdict, item);
  }
  return out;
}

}  // namespace

v3::ConfigDump configDump(const ConfigSources& sources, bool include_endpoints) {
  v3::ConfigDump dump;
  v3::BootstrapConfigDump bootstrap;
  *bootstrap.mutable_bootstrap() = sources.bootstrap;
  *bootstrap.mutable_last_updated() = timestampOf(sources.secrets.started());
  dump.add_configs()->PackFrom(bootstrap);
  dump.add_configs()->PackFrom(clustersOf(sources));
  dump.add_configs()->PackFrom(extensionsOf(sources));
  if (include_endpoints) dump.add_configs()->PackFrom(endpointsOf(sources));
  dump.add_configs()->PackFrom(listenersOf(sources));
  dump.add_configs()->PackFrom(scopesOf(sources));
  dump.add_configs()->PackFrom(routesOf(sources));
  dump.add_configs()->PackFrom(secretsOf(sources));
  return dump;
}

namespace {

using envoy::service::status::v3::ClientConfig;

void addStatic(const google::protobuf::Message& message, const std::string& name,
               std::chrono::system_clock::time_point updated, ClientConfig& out) {
  auto& item = *out.add_generic_xds_configs();
  item.mutable_xds_config()->PackFrom(message);
  item.set_type_url(item.xds_config().type_url());
  item.set_name(name);
  *item.mutable_last_updated() = timestampOf(updated);
  item.set_is_static_resource(true);
}

}  // namespace

envoy::service::status::v3::ClientStatusResponse clientStatus(const ConfigSources& sources) {
  envoy::service::status::v3::ClientStatusResponse out;
  ClientConfig& self = *out.add_config();
  *self.mutable_node() = sources.bootstrap.node();
  const auto started = sources.secrets.started();
  const auto& fixed = sources.bootstrap.static_resources();
  for (const auto& cluster : fixed.clusters()) addStatic(cluster, cluster.name(), started, self);
  for (const auto& listener : fixed.listeners()) addStatic(listener, listener.name(), started, self);
  for (const auto& secret : fixed.secrets()) addStatic(secret, secret.name(), started, self);
  if (sources.subscriptions == nullptr) return out;
  std::set<std::string_view> types;
  sources.subscriptions->forEach([&types](const xds::Subscriptions::View& view) { types.insert(view.type_url); });
  for (const std::string_view type : types) {
    for (const xds::Verdict& verdict : verdictsOf(sources, type)) {
      auto& item = *self.add_generic_xds_configs();
      item.set_type_url(std::string(type));
      item.set_name(verdict.name);
      if (verdict.body) *item.mutable_xds_config() = *verdict.body;
      setResource(verdict, item);
    }
  }
  return out;
}

}  // namespace sluice::server
