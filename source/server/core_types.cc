#include "source/server/core_types.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "envoy/config/core/v3/extension.pb.h"
#include "source/config/any_type.h"
#include "source/config/cluster_compiler.h"
#include "source/config/filter_routes.h"
#include "source/config/listener_compiler.h"
#include "source/config/route_compiler.h"
#include "source/config/scoped_routes.h"
#include "source/config/sticky_split.h"
#include "source/config/walk.h"
#include "source/server/virtual_hosts.h"

namespace sluice::server {
namespace {

using config::Context;
using envoy::config::cluster::v3::Cluster;
using envoy::config::core::v3::TypedExtensionConfig;
using envoy::config::endpoint::v3::ClusterLoadAssignment;
using envoy::config::listener::v3::Listener;
using envoy::config::route::v3::RouteConfiguration;
using envoy::config::route::v3::ScopedRouteConfiguration;
using envoy::config::route::v3::VirtualHost;
using envoy::extensions::transport_sockets::tls::v3::Secret;
using Hosts = std::shared_ptr<VirtualHosts>;
using Root = std::optional<config::ResourceSource>;

// What managers call when they want a name of a type, and when they do not want it any more.
auto asking(DynamicConfig& dynamic, std::string_view type) {
  return [&dynamic, type](const ResourceKey& key, const auto& source) { dynamic.want(type, source, key.name); };
}
auto notAsking(DynamicConfig& dynamic, std::string_view type) {
  return [&dynamic, type](const ResourceKey& key) { dynamic.unwant(type, key.source, key.name); };
}

// --- clusters and endpoints ---

void takeCluster(const CoreTypes& core, const DynamicResource& resource, const Context& context) {
  auto& proto = static_cast<Cluster&>(resource.message);
  std::unique_ptr<InitManager> init = core.clusters.newInit(resource.name);
  // What its filters call may come behind it in the same response.
  auto exists = std::exchange(core.services.cluster_exists, nullptr);
  auto config = config::compileCluster(proto, context, core.services, init.get());
  core.services.cluster_exists = std::move(exists);
  if (!config) return;
  if (!core.on_demand.take(resource.key())) {
    return context.error("another source has brought a cluster of this name; rename one of them");
  }
  if (!core.clusters.set(std::move(config), std::move(proto), false, resource.version, std::move(init))) {
    context.error("a static cluster has this name; it cannot be changed by CDS");
  }
}

DynamicType clusters(const CoreTypes& core, const Root& cds) {
  return {
      .wire = xds::typeInfo(xds::kClusterType),
      .noun = "clusters",
      .root = cds,
      .take = [core](const DynamicResource& resource, const Context& context) { takeCluster(core, resource, context); },
      .remove =
          [core](const ResourceKey& key) {
            if (core.on_demand.gone(key)) core.clusters.remove(key.name);
          },
      .give_up =
          [core](const ResourceKey& key, xds::WaitEnd why) {
            // Requests have deadlines of their own.
            if (why != xds::WaitEnd::kTimeout) core.on_demand.giveUp(key);
          },
      .holds_back = xds::kEndpointType,
      .stat_prefix = "cluster_manager.cds.",
      .named_stat_prefix = "cluster_manager.odcds."};
}

void askForClusters(const CoreTypes& core, DynamicConfig& dynamic) {
  core.on_demand.on_wanted = asking(dynamic, xds::kClusterType);
  core.on_demand.on_unwanted = notAsking(dynamic, xds::kClusterType);
  core.clusters.on_serves = [core](const std::string& name) {
    core.on_demand.onServes(name);
    core.cluster_waits.onServes(name);
  };
}

void takeEndpoints(const CoreTypes& core, const DynamicResource& resource, const Context& context) {
  const auto& proto = static_cast<const ClusterLoadAssignment&>(resource.message);
  if (auto assignment = config::compileEdsAssignment(proto, resource.name, context)) {
    core.clusters.setAssignment(resource.key(), *std::move(assignment), resource.version);
  }
}

DynamicType endpoints(const CoreTypes& core, const Root& cds) {
  return {
      .wire = xds::typeInfo(xds::kEndpointType),
      .noun = "endpoints",
      .self = cds,
      .take = [core](const DynamicResource& resource,
                     const Context& context) { takeEndpoints(core, resource, context); },
      .repeated = [core](const ResourceKey& key) { core.clusters.repeatAssignment(key); },
      .give_up =
          [core](const ResourceKey& key, xds::WaitEnd why) {
            // Clusters have deadlines of their own.
            if (why != xds::WaitEnd::kTimeout) core.clusters.giveUpAssignment(key);
          },
      .discovery = [core](std::string_view source, std::string_view name,
                          const DynamicType::Visit& visit) { core.clusters.forEachDiscovery(source, name, visit); }};
}

void askForEndpoints(const CoreTypes& core, DynamicConfig& dynamic) {
  core.clusters.on_eds_wanted = asking(dynamic, xds::kEndpointType);
  core.clusters.on_eds_unwanted = notAsking(dynamic, xds::kEndpointType);
}

// --- listeners and routes ---

void takeListener(const CoreTypes& core, const DynamicResource& resource, const Context& context) {
  auto& proto = static_cast<Listener&>(resource.message);
  if (core.listeners.knowsUnchanged(resource.name, config::listenerContentHash(proto), resource.version)) return;
  std::unique_ptr<InitManager> init = core.listeners.newInit(resource.name);
  std::optional<config::CompiledListener> compiled = config::compileListener(proto, context, core.services, init.get());
  if (!compiled) return;
  if (compiled->api) return context.error("an API listener is for gRPC clients; a proxy cannot serve it");
  compiled->name = resource.name;
  if (init->replaces()) {
    core.cluster_waits.add(compiled->clusters, core.listeners.clustersOf(resource.name),
                           core.listeners.waitingSince(resource.name), *init);
  }
  const absl::Status status =
      core.listeners.set(*std::move(compiled), std::move(proto), std::move(init), false, resource.version);
  if (!status.ok()) context.error(std::string(status.message()));
}

DynamicType listeners(const CoreTypes& core, const Root& lds) {
  return {.wire = xds::typeInfo(xds::kListenerType),
          .noun = "listeners",
          .root = lds,
          .take = [core](const DynamicResource& resource,
                         const Context& context) { takeListener(core, resource, context); },
          .remove = [core](const ResourceKey& key) { core.listeners.remove(key.name); },
          .holds_back = xds::kRouteType,
          .stat_prefix = "listener_manager.lds."};
}

void collectFilters(const google::protobuf::Map<std::string, google::protobuf::Any>& settings,
                    RouteManager::FilterNames& names) {
  for (const auto& [name, config] : settings) {
    envoy::config::route::v3::FilterConfig wrapper;
    if (!config.UnpackTo(&wrapper) || !wrapper.is_optional()) names.insert(name);
  }
}

using WeightedCluster = envoy::config::route::v3::WeightedCluster;

google::protobuf::RepeatedPtrField<WeightedCluster::ClusterWeight> sharesOf(
    const envoy::config::route::v3::RouteAction& action) {
  sluice::route::v1::StickySplit split;
  const bool sticky = action.has_inline_cluster_specifier_plugin() &&
                      action.inline_cluster_specifier_plugin().extension().typed_config().UnpackTo(&split);
  return sticky ? split.clusters() : action.weighted_clusters().clusters();
}

void collectFilters(const envoy::config::route::v3::Route& route, RouteManager::FilterNames& names) {
  collectFilters(route.typed_per_filter_config(), names);
  for (const auto& cluster : sharesOf(route.route())) collectFilters(cluster.typed_per_filter_config(), names);
}

// Of routes and shares of clusters that stand anywhere in a message: in the actions of a matcher, in a cluster
// specifier.
void collectDeep(const google::protobuf::Message& message, const Context& context, RouteManager::FilterNames& names,
                 int depth = 0) {
  if (depth > config::kMaxMessageDepth) return;
  if (const auto* any = dynamic_cast<const google::protobuf::Any*>(&message)) {
    const auto inner = config::newMessage(config::typeNameOf(any->type_url()));
    if (inner != nullptr && inner->ParseFromString(any->value())) collectDeep(*inner, context, names, depth + 1);
  } else if (const auto* route = dynamic_cast<const envoy::config::route::v3::Route*>(&message)) {
    collectFilters(*route, names);
  } else if (const auto* share = dynamic_cast<const WeightedCluster::ClusterWeight*>(&message)) {
    collectFilters(share->typed_per_filter_config(), names);
  } else {
    config::forEachSubmessage(message, context, [&](const google::protobuf::Message& child, const Context&) {
      collectDeep(child, context, names, depth + 1);
    });
  }
}

// The filters that a table has settings for.
RouteManager::FilterNames filtersOf(const RouteConfiguration& routes, const Context& context) {
  RouteManager::FilterNames names;
  collectFilters(routes.typed_per_filter_config(), names);
  for (const auto& plugin : routes.cluster_specifier_plugins()) collectDeep(plugin, context, names);
  for (const auto& host : routes.virtual_hosts()) {
    collectFilters(host.typed_per_filter_config(), names);
    for (const auto& route : host.routes()) collectFilters(route, names);
    if (host.has_matcher()) collectDeep(host.matcher(), context, names);
  }
  return names;
}

void takeRoutes(const CoreTypes& core, const Hosts& hosts, const DynamicResource& resource, const Context& context) {
  const auto& proto = static_cast<const RouteConfiguration&>(resource.message);
  if (proto.has_vhds()) return hosts->setTable(resource.key(), proto, resource.version, context);
  std::shared_ptr<const route::Table> table = config::compileRoutes(proto, context, core.services, nullptr);
  if (!table) return;
  const config::ErrorMark mark(context);
  for (const config::ChainFilters& chain : core.routes.chainsOf(resource.key())) {
    config::checkSettings(*table, chain, core.services.filter_slots, context);
  }
  if (mark.hit()) return;
  hosts->forget(resource.key());
  core.routes.setTable(resource.key(), std::move(table), filtersOf(proto, context), resource.version);
}

DynamicType routes(const CoreTypes& core, const Root& lds, const Hosts& hosts) {
  return {.wire = xds::typeInfo(xds::kRouteType),
          .noun = "routes",
          .self = lds,
          .take = [core, hosts](const DynamicResource& resource,
                                const Context& context) { takeRoutes(core, hosts, resource, context); },
          .give_up = [core](const ResourceKey& key, xds::WaitEnd) { core.routes.giveUp(key); },
          .without = "what it is needed for answers 404 until then, or what is to be replaced serves meanwhile",
          .discovery = [core](std::string_view source, std::string_view name,
                              const DynamicType::Visit& visit) { core.routes.forEachDiscovery(source, name, visit); }};
}

void askForRoutes(const CoreTypes& core, const Hosts& hosts, DynamicConfig& dynamic) {
  core.routes.on_wanted = asking(dynamic, xds::kRouteType);
  core.routes.on_host_wanted = [hosts](const ResourceKey& key, const std::string& host, std::function<void()> done) {
    hosts->demand(key, host, std::move(done));
  };
  core.routes.on_unwanted = [hosts, &dynamic](const ResourceKey& key) {
    hosts->forget(key);
    dynamic.unwant(xds::kRouteType, key.source, key.name);
  };
  core.routes.on_unknown_filter = [core, counter = core.stats.counter("listener_manager.rds_unknown_filter_settings")](
                                      const ResourceKey& key, const std::string& filter) {
    core.cells.add(counter);
    core.logger.warning("xds", "routes '", key.name, "' have settings for filter '", filter,
                        "', which no chain that uses them has: they are without effect but for upstream filters of "
                        "that name; correct the name, or set is_optional");
  };
}

// --- virtual hosts ---

bool isDelta(const Root& source, bool ads_delta) {
  using Kind = config::ResourceSource::Kind;
  if (!source) return false;
  return source->kind == Kind::kGrpc ? source->grpc.delta : source->kind == Kind::kAds && ads_delta;
}

Hosts makeHosts(const CoreTypes& core, const config::DynamicSources& sources, DynamicConfig& dynamic) {
  const bool ads_delta = sources.ads && sources.ads->delta;
  return std::make_shared<VirtualHosts>(VirtualHosts::Deps{
      .compile =
          [core](const RouteConfiguration& routes, const Context& context) {
            return config::compileRoutes(routes, context, core.services, nullptr, {}, {}, /*with_vhds=*/true);
          },
      .give =
          [core](const ResourceKey& key, const RouteConfiguration& routes, std::shared_ptr<const route::Table> compiled,
                 const std::string& version) {
            config::ErrorList errors;
            core.routes.setTable(key, std::move(compiled), filtersOf(routes, Context(errors)), version);
          },
      .want = [&dynamic](const auto& source,
                         const std::string& name) { dynamic.want(xds::kVirtualHostType, source, name); },
      .unwant = [&dynamic](const std::string& source,
                           const std::string& name) { dynamic.unwant(xds::kVirtualHostType, source, name); },
      .self_source = core.routes.self_source,
      .ads_delta = ads_delta,
      .self_delta = isDelta(sources.lds, ads_delta)});
}

DynamicType virtualHosts(const Root& lds, const Hosts& hosts) {
  return {.wire = xds::typeInfo(xds::kVirtualHostType),
          .noun = "virtual host",
          .self = lds,
          .take =
              [hosts](const DynamicResource& resource, const Context& context) {
                hosts->set(resource.key(), static_cast<const VirtualHost&>(resource.message), context);
              },
          .remove = [hosts](const ResourceKey& key) { hosts->remove(key); },
          .give_up = [hosts](const ResourceKey& key, xds::WaitEnd) { hosts->giveUp(key); }};
}

// --- scopes ---

DynamicType scopes(const CoreTypes& core, const Root& lds) {
  return {.wire = xds::typeInfo(xds::kScopedRouteType),
          .noun = "scopes",
          .self = lds,
          .begin = [core](const xds::Update& update) { core.scopes.begin(update); },
          .take =
              [core](const DynamicResource& resource, const Context& context) {
                const auto& proto = static_cast<const ScopedRouteConfiguration&>(resource.message);
                auto scope = config::compileScope(proto, context, core.services);
                if (scope) core.scopes.set(resource.source, std::move(scope), context);
              },
          .remove = [core](const ResourceKey& key) { core.scopes.remove(key.source, key.name); },
          .end = [core](std::string_view source) { core.scopes.end(source); },
          .give_up =
              [core](const ResourceKey& key, xds::WaitEnd) {
                if (key.name == xds::kWildcard) core.scopes.giveUp(key.source);
              },
          .holds_back = xds::kRouteType};
}

void askForScopes(const CoreTypes& core, DynamicConfig& dynamic) {
  const std::string all(xds::kWildcard);
  core.scopes.on_wanted = [&dynamic, all](const auto& source) { dynamic.want(xds::kScopedRouteType, source, all); };
  core.scopes.on_unwanted = [&dynamic, all](const std::string& source) {
    dynamic.unwant(xds::kScopedRouteType, source, all);
  };
}

// --- secrets ---

DynamicType secrets(const CoreTypes& core, const Root& lds) {
  return {.wire = xds::typeInfo(xds::kSecretType),
          .noun = "secret",
          .self = lds,
          .take =
              [core](const DynamicResource& resource, const Context& context) {
                core.secrets.set(static_cast<const Secret&>(resource.message), context);
              },
          .give_up = [core](const ResourceKey& key, xds::WaitEnd) { core.secrets.giveUp(key.name); },
          .without = "connections that need it are closed until then, or what is to be replaced serves meanwhile"};
}

void askForSecrets(const CoreTypes& core, DynamicConfig& dynamic) {
  const auto sources = std::make_shared<std::map<std::string, std::string>>();  // by name
  core.secrets.on_wanted = [core, &dynamic, sources](const std::string& name, const auto& source) {
    (*sources)[name] = keyOf(source, name, core.routes.self_source).source;
    dynamic.want(xds::kSecretType, source, name);
  };
  core.secrets.on_unwanted = [&dynamic, sources](const std::string& name) {
    const auto source = sources->extract(name);
    if (source) dynamic.unwant(xds::kSecretType, source.mapped(), name);
  };
}

// --- configurations of filters ---

DynamicType extensions(const CoreTypes& core, const Root& lds) {
  return {.wire = xds::typeInfo(xds::kExtensionType),
          .noun = "configuration of filter",
          .self = lds,
          .take =
              [core](const DynamicResource& resource, const Context& context) {
                const auto& proto = static_cast<const TypedExtensionConfig&>(resource.message);
                core.extensions.set(resource.key(), proto.typed_config(), context.child("typed_config"));
              },
          .remove = [core](const ResourceKey& key) { core.extensions.remove(key); },
          .give_up = [core](const ResourceKey& key, xds::WaitEnd) { core.extensions.giveUp(key); },
          .without =
              "its default holds until then, or its requests are answered 500, or what is to be replaced serves "
              "meanwhile"};
}

void askForExtensions(const CoreTypes& core, DynamicConfig& dynamic) {
  core.extensions.on_wanted = asking(dynamic, xds::kExtensionType);
  core.extensions.on_unwanted = notAsking(dynamic, xds::kExtensionType);
}

}  // namespace

void addCoreTypes(const CoreTypes& core, const config::DynamicSources& sources, DynamicConfig& dynamic) {
  core.on_demand.ads_delta = sources.ads && sources.ads->delta;
  if (sources.cds) {
    core.clusters.self_source = xds::identity(toXds(*sources.cds));
    core.on_demand.root_source = core.clusters.self_source;
  }
  if (sources.lds) {
    core.routes.self_source = xds::identity(toXds(*sources.lds));
    core.scopes.self_source = core.routes.self_source;
    core.extensions.self_source = core.routes.self_source;
  }
  dynamic.add(clusters(core, sources.cds));
  dynamic.add(secrets(core, sources.lds));
  dynamic.add(endpoints(core, sources.cds));
  dynamic.add(extensions(core, sources.lds));
  dynamic.add(listeners(core, sources.lds));
  dynamic.add(scopes(core, sources.lds));
  const Hosts hosts = makeHosts(core, sources, dynamic);
  dynamic.add(routes(core, sources.lds, hosts));
  dynamic.add(virtualHosts(sources.lds, hosts));
  askForClusters(core, dynamic);
  askForEndpoints(core, dynamic);
  askForRoutes(core, hosts, dynamic);
  askForScopes(core, dynamic);
  askForSecrets(core, dynamic);
  askForExtensions(core, dynamic);
}

}  // namespace sluice::server
