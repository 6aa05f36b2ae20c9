#include "source/server/dynamic_config.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "source/config/any_type.h"
#include "source/config/cluster_compiler.h"
#include "source/config/config_source.h"
#include "source/config/loader.h"
#include "source/config/unknown_fields.h"
#include "source/config/validate.h"
#include "source/server/bootstrap.h"
#include "source/xds/grpc_transport.h"
#include "source/xds/resource_type.h"

namespace sluice::server {
namespace {

using config::Context;
using config::ErrorList;
using xds::ResourceError;
using xds::Update;
using xds::UpdatedResource;

xds::GrpcSource toXds(const config::GrpcSource& source) {
  return {source.cluster, source.authority, source.initial_metadata,
          source.delta ? xds::Variant::kDelta : xds::Variant::kSotw, source.node_on_first_message_only};
}

xds::Source toXds(const config::ResourceSource& source) {
  xds::Source out;
  switch (source.kind) {
    case config::ResourceSource::Kind::kFile:
      out.kind = xds::Source::Kind::kFile;
      break;
    case config::ResourceSource::Kind::kAds:
    case config::ResourceSource::Kind::kSelf:  // replaced in want()
      out.kind = xds::Source::Kind::kAds;
      break;
    case config::ResourceSource::Kind::kGrpc:
      out.kind = xds::Source::Kind::kGrpc;
      break;
  }
  out.path = source.path;
  out.watched_directory = source.watched_directory;
  out.grpc = toXds(source.grpc);
  out.initial_fetch_timeout = source.initial_fetch_timeout;
  return out;
}

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

void refuse(const std::string& name, const ErrorList& errors, observability::Logger& logger,
            std::vector<ResourceError>& out) {
  for (const config::ConfigError& error : errors.errors()) {
    logger.warning("xds", "refused '", name, "': ", error.toString());
    out.push_back(
        {name, error.path, error.rule.empty() ? error.message : absl::StrCat(error.message, " (", error.rule, ")")});
  }
}

void refuse(const std::string& name, std::string_view message, observability::Logger& logger,
            std::vector<ResourceError>& out) {
  logger.warning("xds", "refused '", name, "': ", message);
  out.push_back({name, "", std::string(message)});
}

}  // namespace

class DynamicConfig::ClusterWatcher : public xds::ResourceWatcher {
 public:
  explicit ClusterWatcher(DynamicConfig& owner) : owner_(owner) {}

  std::vector<ResourceError> onUpdate(const Update& update) override {
    // What one response changes in the interest in endpoints goes out as one request.
    const auto pause = owner_.subscriptions_.pause(xds::kEndpointType);
    std::vector<ResourceError> refused;
    for (const UpdatedResource& resource : update.changed) {
      ErrorList errors;
      auto proto =
          read<envoy::config::cluster::v3::Cluster>(resource, owner_.deps_.options, owner_.deps_.logger, errors);
      std::shared_ptr<const upstream::cluster::ClusterConfig> config;
      if (proto) config = config::compileCluster(*proto, Context(errors), &owner_.deps_.services);
      if (!config) {
        refuse(resource.name, errors, owner_.deps_.logger, refused);
        continue;
      }
      if (!owner_.deps_.clusters.set(std::move(config), *std::move(proto), false, resource.version)) {
        refuse(resource.name, "a static cluster has this name; it cannot be changed by CDS", owner_.deps_.logger,
               refused);
      }
    }
    for (const std::string& name : update.removed) owner_.deps_.clusters.remove(name);
    owner_.clusters_came_ = true;
    owner_.progress();
    return refused;
  }
  void onFetchTimeout(const std::vector<std::string>&) override {
    owner_.deps_.logger.warning("xds", "no clusters came in time; going on without");
    owner_.clusters_came_ = true;
    owner_.progress();
  }

 private:
  DynamicConfig& owner_;
};

class DynamicConfig::EndpointWatcher : public xds::ResourceWatcher {
 public:
  explicit EndpointWatcher(DynamicConfig& owner) : owner_(owner) {}

  std::vector<ResourceError> onUpdate(const Update& update) override {
    std::vector<ResourceError> refused;
    for (const UpdatedResource& resource : update.changed) {
      ErrorList errors;
      auto proto = read<envoy::config::endpoint::v3::ClusterLoadAssignment>(resource, owner_.deps_.options,
                                                                            owner_.deps_.logger, errors);
      std::optional<upstream::cluster::Assignment> assignment;
      if (proto) assignment = config::compileEdsAssignment(*proto, resource.name, Context(errors));
      if (!assignment) {
        refuse(resource.name, errors, owner_.deps_.logger, refused);
        continue;
      }
      owner_.deps_.clusters.setAssignment(resource.name, *std::move(assignment));
    }
    return refused;
  }
  // The clusters have deadlines of their own.
  void onFetchTimeout(const std::vector<std::string>&) override {}

 private:
  DynamicConfig& owner_;
};

class DynamicConfig::ListenerWatcher : public xds::ResourceWatcher {
 public:
  explicit ListenerWatcher(DynamicConfig& owner) : owner_(owner) {}

  std::vector<ResourceError> onUpdate(const Update& update) override {
    const auto pause = owner_.subscriptions_.pause(xds::kRouteType);
    ListenerManager& listeners = owner_.deps_.listeners;
    std::vector<ResourceError> refused;
    // Removals first, so that an address can move to another listener in one response.
    for (const std::string& name : update.removed) listeners.remove(name);
    for (const UpdatedResource& resource : update.changed) {
      ErrorList errors;
      auto proto =
          read<envoy::config::listener::v3::Listener>(resource, owner_.deps_.options, owner_.deps_.logger, errors);
      if (!proto) {
        refuse(resource.name, errors, owner_.deps_.logger, refused);
        continue;
      }
      if (listeners.knowsUnchanged(resource.name, config::listenerContentHash(*proto), resource.version)) continue;
      std::optional<config::CompiledListener> compiled =
          config::compileListener(*proto, Context(errors), owner_.deps_.services);
      if (!compiled) {
        refuse(resource.name, errors, owner_.deps_.logger, refused);
        continue;
      }
      if (compiled->api) {
        refuse(resource.name, "an API listener is for gRPC clients; a proxy cannot serve it", owner_.deps_.logger,
               refused);
        continue;
      }
      compiled->name = resource.name;
      std::vector<std::string> rds = rdsNamesOf(*proto);
      const absl::Status status =
          listeners.set(*std::move(compiled), *std::move(proto), std::move(rds), false, resource.version);
      if (!status.ok()) refuse(resource.name, std::string(status.message()), owner_.deps_.logger, refused);
    }
    owner_.listeners_came_ = true;
    owner_.progress();
    return refused;
  }
  void onFetchTimeout(const std::vector<std::string>&) override {
    owner_.deps_.logger.warning("xds", "no listeners came in time; going on without");
    owner_.listeners_came_ = true;
    owner_.progress();
  }

 private:
  DynamicConfig& owner_;
};

class DynamicConfig::RouteWatcher : public xds::ResourceWatcher {
 public:
  explicit RouteWatcher(DynamicConfig& owner) : owner_(owner) {}

  std::vector<ResourceError> onUpdate(const Update& update) override {
    std::vector<ResourceError> refused;
    for (const UpdatedResource& resource : update.changed) {
      ErrorList errors;
      auto proto = read<envoy::config::route::v3::RouteConfiguration>(resource, owner_.deps_.options,
                                                                      owner_.deps_.logger, errors);
      std::shared_ptr<const route::Table> table;
      if (proto) table = config::compileRoutes(*proto, Context(errors), owner_.deps_.services, nullptr);
      if (table) {
        owner_.deps_.routes.setTable(resource.name, std::move(table));
      } else {
        refuse(resource.name, errors, owner_.deps_.logger, refused);
        owner_.deps_.routes.giveUp(resource.name);
      }
    }
    // A table that serves stays until its listeners let go of it; who waits for a first one waits no longer.
    for (const std::string& name : update.removed) owner_.deps_.routes.giveUp(name);
    for (const ResourceError& error : update.rejected) owner_.deps_.routes.giveUp(error.name);
    return refused;
  }
  void onFetchTimeout(const std::vector<std::string>& names) override {
    for (const std::string& name : names) {
      owner_.deps_.logger.warning("xds", "routes '", name,
                                  "' did not come in time; its listeners answer 404 until then");
      owner_.deps_.routes.giveUp(name);
    }
  }

 private:
  DynamicConfig& owner_;
};

class DynamicConfig::SecretWatcher : public xds::ResourceWatcher {
 public:
  explicit SecretWatcher(DynamicConfig& owner) : owner_(owner) {}

  std::vector<ResourceError> onUpdate(const Update& update) override {
    std::vector<ResourceError> refused;
    for (const UpdatedResource& resource : update.changed) {
      ErrorList errors;
      const auto proto = read<envoy::extensions::transport_sockets::tls::v3::Secret>(resource, owner_.deps_.options,
                                                                                     owner_.deps_.logger, errors);
      if (!proto || !owner_.deps_.secrets.set(*proto, Context(errors))) {
        refuse(resource.name, errors, owner_.deps_.logger, refused);
        owner_.deps_.secrets.giveUp(resource.name);  // whoever waits for a first version
      }
    }
    for (const ResourceError& error : update.rejected) owner_.deps_.secrets.giveUp(error.name);
    return refused;  // what is removed serves until its users let go of it
  }
  void onFetchTimeout(const std::vector<std::string>& names) override {
    for (const std::string& name : names) {
      owner_.deps_.logger.warning("xds", "secret '", name,
                                  "' did not come in time; connections that need it are closed until then");
      owner_.deps_.secrets.giveUp(name);
    }
  }

 private:
  DynamicConfig& owner_;
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
      random_(deps.seed) {
  subscriptions_.setWatcher(xds::kClusterType, *cluster_watcher_);
  subscriptions_.setWatcher(xds::kEndpointType, *endpoint_watcher_);
  subscriptions_.setWatcher(xds::kListenerType, *listener_watcher_);
  subscriptions_.setWatcher(xds::kRouteType, *route_watcher_);
  subscriptions_.setWatcher(xds::kSecretType, *secret_watcher_);
  clusters_came_ = !sources_.cds.has_value();
  listeners_came_ = !sources_.lds.has_value();

  deps_.clusters.on_eds_wanted = [this](const std::string& name, const auto& source) {
    want(xds::kEndpointType, source, name);
  };
  deps_.clusters.on_eds_unwanted = [this](const std::string& name) {
    subscriptions_.unsubscribe(xds::kEndpointType, name);
  };
  deps_.routes.on_wanted = [this](const std::string& name, const auto& source) { want(xds::kRouteType, source, name); };
  deps_.secrets.on_wanted = [this](const std::string& name, const auto& source) {
    want(xds::kSecretType, source, name);
  };
  deps_.secrets.on_unwanted = [this](const std::string& name) { subscriptions_.unsubscribe(xds::kSecretType, name); };
  deps_.routes.on_unwanted = [this](const std::string& name) { subscriptions_.unsubscribe(xds::kRouteType, name); };
}

DynamicConfig::~DynamicConfig() = default;

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

void DynamicConfig::refreshStats() {
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
