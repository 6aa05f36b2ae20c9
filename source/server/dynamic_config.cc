#include "source/server/dynamic_config.h"

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "source/config/any_type.h"
#include "source/config/cluster_compiler.h"
#include "source/config/config_source.h"
#include "source/config/loader.h"
#include "source/config/unknown_fields.h"
#include "source/config/validate.h"
#include "source/server/bootstrap.h"
#include "source/xds/grpc_transport.h"
#include "source/xds/nack_text.h"
#include "source/xds/resource_type.h"

namespace sluice::server {
namespace {

using config::Context;
using config::ErrorList;
using xds::ResourceError;
using xds::Update;
using xds::UpdatedResource;

// The message of a resource, checked by the rules of its proto; adds to `errors` what is wrong.
template <typename Proto>
std::optional<Proto> read(const UpdatedResource& resource, const Options& options, observability::Logger& logger,
                          ErrorList& errors) {
  const Context context(errors);
  std::optional<Proto> proto(std::in_place);
  if (!resource.body->UnpackTo(&*proto)) {
    context.error("the bytes are no valid message of this type");
    return std::nullopt;
  }
  const auto unknown =
      config::checkUnknownFields(*proto,
                                 options.reject_unknown_dynamic_fields ? config::UnknownFieldPolicy::kRefuseAll
                                                                       : config::UnknownFieldPolicy::kRefuseKnown,
                                 context);
  for (const std::string& path : unknown.ignored_paths) {
    logger.warning("xds", "resource '", resource.name, "': ignored ", path);
  }
  config::validate(*proto, context);
  if (!errors.empty()) return std::nullopt;
  return proto;
}

// The filters that a table has settings for.
RouteManager::FilterNames filtersOf(const envoy::config::route::v3::RouteConfiguration& routes) {
  RouteManager::FilterNames names;
  auto collect = [&names](const auto& settings) {
    for (const auto& [name, config] : settings) {
      envoy::config::route::v3::FilterConfig wrapper;
      if (!config.UnpackTo(&wrapper) || !wrapper.is_optional()) names.insert(name);
    }
  };
  collect(routes.typed_per_filter_config());
  for (const auto& host : routes.virtual_hosts()) {
    collect(host.typed_per_filter_config());
    for (const auto& route : host.routes()) {
      collect(route.typed_per_filter_config());
      for (const auto& cluster : route.route().weighted_clusters().clusters()) {
        collect(cluster.typed_per_filter_config());
      }
    }
  }
  return names;
}

}  // namespace

// Says in the log why a resource is refused, once: a server that sends the same again has nothing new to say.
class DynamicConfig::Watcher : public xds::ResourceWatcher {
 public:
  explicit Watcher(DynamicConfig& owner) : owner_(owner) {}

  std::vector<ResourceError> onUpdate(const Update& update) final {
    std::vector<ResourceError> refused;
    take(update, refused);
    log(update, refused);
    return refused;
  }

 protected:
  // Adds to `refused` what it does not take.
  virtual void take(const Update& update, std::vector<ResourceError>& refused) = 0;

  static void refuse(const std::string& name, const ErrorList& errors, std::vector<ResourceError>& refused) {
    for (const config::ConfigError& error : errors.errors()) {
      refused.push_back(
          {name, error.path, error.rule.empty() ? error.message : absl::StrCat(error.message, " (", error.rule, ")")});
    }
  }

  // In the stats of each resource.
  template <typename Manager>
  static void countRefused(Manager& manager, const Update& update, const std::vector<ResourceError>& refused) {
    std::set<std::string_view> names;  // one may be wrong in several places
    for (const auto* list : {&update.rejected, &refused}) {
      for (const ResourceError& error : *list) {
        if (!error.name.empty()) names.insert(error.name);
      }
    }
    for (const std::string_view name : names) {
      manager.forEachDiscovery(update.source, name, [](DiscoveryStats& stats) { stats.rejected(); });
    }
  }
  template <typename Manager>
  static void countWaitOver(Manager& manager, std::string_view source, const std::vector<std::string>& names,
                            xds::WaitEnd why) {
    if (why == xds::WaitEnd::kRefused) return;
    for (const std::string& name : names) {
      manager.forEachDiscovery(source, name, [why](DiscoveryStats& stats) {
        why == xds::WaitEnd::kTimeout ? stats.timedOut() : stats.empty();
      });
    }
  }

  DynamicConfig& owner_;

 private:
  using Key = std::pair<std::string, std::string>;  // source and name

  void log(const Update& update, const std::vector<ResourceError>& refused) {
    std::map<std::string, std::vector<std::string>> reasons;
    for (const auto* list : {&update.rejected, &refused}) {
      for (const ResourceError& error : *list) reasons[error.name].push_back(xds::errorText(error));
    }
    for (const std::string& name : update.removed) told_.erase({std::string(update.source), name});
    for (const UpdatedResource& resource : update.changed) {
      if (!reasons.contains(resource.name)) told_.erase({std::string(update.source), resource.name});
    }
    if (told_.size() > kMaxTold) told_.clear();
    for (auto& [name, texts] : reasons) {
      std::vector<std::string>& told = told_[{std::string(update.source), name}];
      if (told == texts) continue;
      told = std::move(texts);
      for (const std::string& text : told) owner_.deps_.logger.warning("xds", "refused '", name, "': ", text);
    }
  }

  static constexpr size_t kMaxTold = 10'000;
  std::map<Key, std::vector<std::string>> told_;
};

class DynamicConfig::ClusterWatcher : public Watcher {
 public:
  using Watcher::Watcher;

  void take(const Update& update, std::vector<ResourceError>& refused) override {
    // What one response changes in the interest in endpoints goes out as one request.
    if (!owner_.endpoints_paused_) owner_.endpoints_paused_ = owner_.subscriptions_.pause(xds::kEndpointType);
    for (const UpdatedResource& resource : update.changed) {
      ErrorList errors;
      auto proto =
          read<envoy::config::cluster::v3::Cluster>(resource, owner_.deps_.options, owner_.deps_.logger, errors);
      std::shared_ptr<const upstream::cluster::ClusterConfig> config;
      if (proto) config = config::compileCluster(*proto, Context(errors), &owner_.deps_.services);
      owner_.logWarnings(resource.name, errors);
      if (!config) {
        refuse(resource.name, errors, refused);
      } else if (!owner_.deps_.clusters.set(std::move(config), *std::move(proto), false, resource.version)) {
        refused.push_back({resource.name, "", "a static cluster has this name; it cannot be changed by CDS"});
      }
    }
    for (const std::string& name : update.removed) owner_.deps_.clusters.remove(name);
    if (update.more) return;
    owner_.endpoints_paused_.reset();
    owner_.clusters_came_ = true;
    owner_.progress();
  }
  void onWaitOver(std::string_view, const std::vector<std::string>&, xds::WaitEnd why) override {
    owner_.deps_.logger.warning("xds", "no clusters came", why == xds::WaitEnd::kTimeout ? " in time" : "",
                                "; going on without");
    owner_.clusters_came_ = true;
    owner_.progress();
  }
};

class DynamicConfig::EndpointWatcher : public Watcher {
 public:
  using Watcher::Watcher;

  void take(const Update& update, std::vector<ResourceError>& refused) override {
    for (const UpdatedResource& resource : update.changed) {
      ErrorList errors;
      auto proto = read<envoy::config::endpoint::v3::ClusterLoadAssignment>(resource, owner_.deps_.options,
                                                                            owner_.deps_.logger, errors);
      std::optional<upstream::cluster::Assignment> assignment;
      if (proto) assignment = config::compileEdsAssignment(*proto, resource.name, Context(errors));
      if (assignment) {
        owner_.deps_.clusters.setAssignment({std::string(update.source), resource.name}, *std::move(assignment),
                                            resource.version);
      } else {
        refuse(resource.name, errors, refused);
      }
    }
    countRefused(owner_.deps_.clusters, update, refused);
  }
  void onWaitOver(std::string_view source, const std::vector<std::string>& names, xds::WaitEnd why) override {
    countWaitOver(owner_.deps_.clusters, source, names, why);
    if (why == xds::WaitEnd::kTimeout) return;  // the clusters have deadlines of their own
    for (const std::string& name : names) owner_.deps_.clusters.giveUpAssignment({std::string(source), name});
  }
};

class DynamicConfig::ListenerWatcher : public Watcher {
 public:
  using Watcher::Watcher;

  void take(const Update& update, std::vector<ResourceError>& refused) override {
    if (!owner_.routes_paused_) owner_.routes_paused_ = owner_.subscriptions_.pause(xds::kRouteType);
    // Removals first, so that an address can move to another listener in one response.
    for (const std::string& name : update.removed) owner_.deps_.listeners.remove(name);
    for (const UpdatedResource& resource : update.changed) {
      if (takeOne(resource, refused)) taken_ = true;
    }
    empty_ = empty_ && update.changed.empty() && update.rejected.empty();
    if (update.more) return;
    owner_.routes_paused_.reset();
    owner_.listeners_answered_ |= taken_ || empty_;
    taken_ = false;
    empty_ = true;
    owner_.listeners_came_ = true;
    owner_.progress();
  }
  void onWaitOver(std::string_view, const std::vector<std::string>&, xds::WaitEnd why) override {
    owner_.deps_.logger.warning("xds", "no listeners came", why == xds::WaitEnd::kTimeout ? " in time" : "",
                                "; going on without");
    owner_.listeners_came_ = true;
    owner_.progress();
  }

 private:
  bool takeOne(const UpdatedResource& resource, std::vector<ResourceError>& refused) {
    ListenerManager& listeners = owner_.deps_.listeners;
    ErrorList errors;
    auto proto =
        read<envoy::config::listener::v3::Listener>(resource, owner_.deps_.options, owner_.deps_.logger, errors);
    if (!proto) {
      refuse(resource.name, errors, refused);
      return false;
    }
    if (listeners.knowsUnchanged(resource.name, config::listenerContentHash(*proto), resource.version)) return true;
    std::optional<config::CompiledListener> compiled =
        config::compileListener(*proto, Context(errors), owner_.deps_.services);
    owner_.logWarnings(resource.name, errors);
    if (!compiled) {
      refuse(resource.name, errors, refused);
      return false;
    }
    if (compiled->api) {
      refused.push_back({resource.name, "", "an API listener is for gRPC clients; a proxy cannot serve it"});
      return false;
    }
    compiled->name = resource.name;
    std::vector<ResourceKey> rds = rdsOf(*proto, owner_.deps_.routes.self_source);
    const absl::Status status =
        listeners.set(*std::move(compiled), *std::move(proto), std::move(rds), false, resource.version);
    if (!status.ok()) refused.push_back({resource.name, "", std::string(status.message())});
    return status.ok();
  }

  // Of the response that is being taken.
  bool taken_ = false;
  bool empty_ = true;
};

class DynamicConfig::RouteWatcher : public Watcher {
 public:
  using Watcher::Watcher;

  void take(const Update& update, std::vector<ResourceError>& refused) override {
    for (const UpdatedResource& resource : update.changed) {
      ErrorList errors;
      auto proto = read<envoy::config::route::v3::RouteConfiguration>(resource, owner_.deps_.options,
                                                                      owner_.deps_.logger, errors);
      std::shared_ptr<const route::Table> table;
      if (proto) table = config::compileRoutes(*proto, Context(errors), owner_.deps_.services, nullptr);
      owner_.logWarnings(resource.name, errors);
      if (table) {
        owner_.deps_.routes.setTable({std::string(update.source), resource.name}, std::move(table), filtersOf(*proto),
                                     resource.version);
      } else {
        refuse(resource.name, errors, refused);
      }
    }
    countRefused(owner_.deps_.routes, update, refused);
    // A table that is removed serves until its listeners let go of it.
  }
  void onWaitOver(std::string_view source, const std::vector<std::string>& names, xds::WaitEnd why) override {
    countWaitOver(owner_.deps_.routes, source, names, why);
    for (const std::string& name : names) {
      owner_.deps_.logger.warning("xds", "routes '", name, "' did not come",
                                  why == xds::WaitEnd::kTimeout ? " in time" : "",
                                  "; its listeners answer 404 until then");
      owner_.deps_.routes.giveUp({std::string(source), name});
    }
  }
};

class DynamicConfig::SecretWatcher : public Watcher {
 public:
  using Watcher::Watcher;

  void take(const Update& update, std::vector<ResourceError>& refused) override {
    for (const UpdatedResource& resource : update.changed) {
      ErrorList errors;
      const auto proto = read<envoy::extensions::transport_sockets::tls::v3::Secret>(resource, owner_.deps_.options,
                                                                                     owner_.deps_.logger, errors);
      if (!proto || !owner_.deps_.secrets.set(*proto, Context(errors))) refuse(resource.name, errors, refused);
    }
    // What is removed serves until its users let go of it.
  }
  void onWaitOver(std::string_view, const std::vector<std::string>& names, xds::WaitEnd why) override {
    for (const std::string& name : names) {
      owner_.deps_.logger.warning("xds", "secret '", name, "' did not come",
                                  why == xds::WaitEnd::kTimeout ? " in time" : "",
                                  "; connections that need it are closed until then");
      owner_.deps_.secrets.giveUp(name);
    }
  }
};

DynamicConfig::DynamicConfig(Deps deps, envoy::config::core::v3::Node node, config::DynamicSources sources)
    : deps_(deps),
      sources_(std::move(sources)),
      cluster_watcher_(std::make_unique<ClusterWatcher>(*this)),
      endpoint_watcher_(std::make_unique<EndpointWatcher>(*this)),
      listener_watcher_(std::make_unique<ListenerWatcher>(*this)),
      route_watcher_(std::make_unique<RouteWatcher>(*this)),
      secret_watcher_(std::make_unique<SecretWatcher>(*this)),
      subscriptions_({.loop = deps.loop,
                      .node = std::move(node),
                      .make_transport = [this](const xds::GrpcSource& source) { return makeTransport(source); },
                      .load_file = [](const std::string& path)
                          -> absl::StatusOr<envoy::service::discovery::v3::DiscoveryResponse> {
                        ErrorList errors;
                        config::Positions positions;
                        envoy::service::discovery::v3::DiscoveryResponse response;
                        config::Loader(errors, positions).loadFile(path, response);
                        if (!errors.empty()) return errors.status();
                        return response;
                      },
                      .random = [this] { return random_.next(); },
                      .log = [this](const std::string& line) { deps_.logger.warning("xds", line); }}),
      unknown_filters_(deps.stats.counter("listener_manager.rds_unknown_filter_settings")),
      random_(deps.seed) {
  subscriptions_.setWatcher(xds::kClusterType, *cluster_watcher_);
  subscriptions_.setWatcher(xds::kEndpointType, *endpoint_watcher_);
  subscriptions_.setWatcher(xds::kListenerType, *listener_watcher_);
  subscriptions_.setWatcher(xds::kRouteType, *route_watcher_);
  subscriptions_.setWatcher(xds::kSecretType, *secret_watcher_);
  clusters_came_ = !sources_.cds.has_value();
  listeners_came_ = listeners_answered_ = !sources_.lds.has_value();
  if (sources_.cds) deps_.clusters.self_source = xds::identity(toXds(*sources_.cds));
  if (sources_.lds) deps_.routes.self_source = xds::identity(toXds(*sources_.lds));

  deps_.clusters.on_eds_wanted = [this](const ResourceKey& key, const auto& source) {
    countFailures();  // what was before is none of its
    want(xds::kEndpointType, source, key.name);
  };
  deps_.clusters.on_eds_unwanted = [this](const ResourceKey& key) {
    subscriptions_.unsubscribe(xds::kEndpointType, key.source, key.name);
  };
  deps_.routes.on_wanted = [this](const ResourceKey& key, const auto& source) {
    countFailures();
    want(xds::kRouteType, source, key.name);
  };
  deps_.routes.on_unwanted = [this](const ResourceKey& key) {
    subscriptions_.unsubscribe(xds::kRouteType, key.source, key.name);
  };
  deps_.routes.on_unknown_filter = [this](const ResourceKey& key, const std::string& filter) {
    deps_.cells.add(unknown_filters_);
    deps_.logger.warning("xds", "routes '", key.name, "' have settings for filter '", filter,
                         "', which no chain that uses them has: they are without effect; correct the name, or set "
                         "is_optional");
  };
  deps_.secrets.on_wanted = [this](const std::string& name, const auto& source) {
    secret_sources_[name] = keyOf(source, name, deps_.routes.self_source).source;
    want(xds::kSecretType, source, name);
  };
  deps_.secrets.on_unwanted = [this](const std::string& name) {
    const auto source = secret_sources_.extract(name);
    if (source) subscriptions_.unsubscribe(xds::kSecretType, source.mapped(), name);
  };
}

DynamicConfig::~DynamicConfig() = default;

void DynamicConfig::logWarnings(const std::string& name, const ErrorList& errors) {
  for (const auto& warning : errors.warnings()) deps_.logger.warning("xds", "'", name, "': ", warning.toString());
}

std::unique_ptr<xds::Transport> DynamicConfig::makeTransport(const xds::GrpcSource& source) {
  xds::GrpcTransportOptions options;
  // In turn over the cluster's hosts, whatever they are by then.
  options.next_endpoint = [this, cluster = source.cluster,
                           next = random_.next()]() mutable -> absl::StatusOr<net::Address> {
    const upstream::cluster::HostSet* hosts = deps_.clusters.hostsOf(cluster);
    if (hosts == nullptr || hosts->entries().empty()) {
      return absl::UnavailableError(absl::StrCat("cluster '", cluster, "' has no endpoints"));
    }
    return hosts->entries()[next++ % hosts->entries().size()].host->address();
  };
  options.authority = source.authority;
  options.initial_metadata = source.initial_metadata;
  if (const ClusterManager::Entry* entry = deps_.clusters.find(source.cluster); entry != nullptr && entry->active) {
    const upstream::cluster::ClusterConfig& cluster = *entry->active->config;
    options.connect_timeout = cluster.connect_timeout;
    if (cluster.transport != nullptr) {
      buffers_.cells = &deps_.cells;
      options.buffers = &buffers_;
      // A stream has one request, whose host is the authority.
      options.security = [transport = cluster.transport, name = source.cluster,
                          sni = cluster.http.auto_sni ? source.authority : std::string(),
                          san = cluster.http.auto_san_validation
                                    ? source.authority
                                    : std::string()]() -> absl::StatusOr<net::TransportPtr> {
        if (const std::string missing = transport->notReady(); !missing.empty()) {
          return absl::UnavailableError(absl::StrCat("cluster '", name, "': ", missing));
        }
        static const std::vector<std::string> kProtocols = {"h2"};
        return transport->make({.server_name = sni, .verify_san = san, .alpn = &kProtocols, .session_key = name});
      };
    }
  }
  return xds::makeGrpcTransport(std::move(options), deps_.loop);
}

void DynamicConfig::subscribe(std::string_view type, const xds::Source& source, const std::string& name) {
  if (!started_) {
    before_start_.push_back([this, type = std::string(type), source, name] { subscribe(type, source, name); });
    return;
  }
  const absl::Status status = subscriptions_.subscribe(type, source, name);
  if (!status.ok()) deps_.logger.error("xds", "cannot subscribe to '", name, "': ", std::string(status.message()));
}

void DynamicConfig::want(std::string_view type, const envoy::config::core::v3::ConfigSource& source,
                         const std::string& name) {
  ErrorList errors;
  // Checked when the resource that names it was compiled.
  if (auto compiled = config::compileConfigSource(source, Context(errors))) {
    if (const auto& origin = type == xds::kEndpointType ? sources_.cds : sources_.lds;
        origin && compiled->kind == config::ResourceSource::Kind::kSelf) {
      const std::chrono::milliseconds timeout = compiled->initial_fetch_timeout;
      compiled = origin;
      compiled->initial_fetch_timeout = timeout;
    }
    subscribe(type, toXds(*compiled), name);
  } else {
    deps_.logger.error("xds", "no source for '", name, "': ", errors.toString());
  }
}

void DynamicConfig::start() {
  if (started_) return;
  started_ = true;
  if (sources_.ads) subscriptions_.startAds(toXds(*sources_.ads));
  if (sources_.cds) subscribe(xds::kClusterType, toXds(*sources_.cds), std::string(xds::kWildcard));
  if (sources_.lds) subscribe(xds::kListenerType, toXds(*sources_.lds), std::string(xds::kWildcard));
  for (const auto& work : std::exchange(before_start_, {})) work();
}

// A stream that broke failed all that it carries.
void DynamicConfig::countFailures() {
  std::map<std::pair<std::string, std::string>, uint64_t> counted;
  subscriptions_.forEach([&](const xds::Subscriptions::View& view) {
    const bool endpoints = view.type_url == xds::kEndpointType;
    if (!endpoints && view.type_url != xds::kRouteType) return;
    std::pair<std::string, std::string> key(view.type_url, view.identity);
    const uint64_t now = view.stats.update_failure;
    const auto known = failures_.find(key);
    const uint64_t before = known == failures_.end() || known->second > now ? 0 : known->second;
    const auto add = [times = now - before](DiscoveryStats& stats) { stats.failed(times); };
    if (now != before && endpoints) deps_.clusters.forEachDiscovery(view.identity, {}, add);
    if (now != before && !endpoints) deps_.routes.forEachDiscovery(view.identity, {}, add);
    counted.emplace(std::move(key), now);
  });
  failures_ = std::move(counted);
}

void DynamicConfig::refreshStats() {
  countFailures();
  subscriptions_.forEach([this](const xds::Subscriptions::View& view) {
    std::string prefix;
    if (view.type_url == xds::kClusterType) prefix = "cluster_manager.cds.";
    if (view.type_url == xds::kListenerType) prefix = "listener_manager.lds.";
    if (view.stream != nullptr && view.source == "ads") {
      deps_.cells.set(deps_.stats.gauge("control_plane.connected_state"), view.stream->connected ? 1 : 0);
    }
    if (prefix.empty()) return;
    auto show = [&](const char* name, uint64_t value) {
      deps_.cells.set(deps_.stats.counter(absl::StrCat(prefix, name)), value);
    };
    show("update_attempt", view.stats.update_attempt);
    show("update_success", view.stats.update_success);
    show("update_failure", view.stats.update_failure);
    show("update_rejected", view.stats.update_rejected);
    show("init_fetch_timeout", view.stats.init_fetch_timeout);
    show("config_reload", view.stats.config_reload);
  });
}

}  // namespace sluice::server
