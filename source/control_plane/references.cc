#include "source/control_plane/references.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/core/v3/grpc_service.pb.h"
#include "envoy/config/core/v3/http_uri.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/extensions/clusters/aggregate/v3/cluster.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "envoy/extensions/filters/udp/udp_proxy/v3/route.pb.h"
#include "envoy/extensions/filters/udp/udp_proxy/v3/udp_proxy.pb.h"
#include "envoy/extensions/router/cluster_specifiers/matcher/v3/matcher.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "source/config/any_type.h"
#include "source/config/walk.h"

namespace sluice::control_plane {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::config::core::v3::ConfigSource;
using envoy::config::core::v3::GrpcService;
using envoy::config::core::v3::HttpUri;
using envoy::config::route::v3::FilterConfig;
using envoy::config::route::v3::RouteAction;
using envoy::config::route::v3::RouteConfiguration;
using envoy::config::route::v3::WeightedCluster;
using envoy::extensions::filters::http::router::v3::Router;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
using envoy::extensions::filters::network::http_connection_manager::v3::Rds;
using envoy::extensions::filters::network::http_connection_manager::v3::ScopedRoutes;
using envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
using envoy::extensions::filters::udp::udp_proxy::v3::UdpProxyConfig;
using AggregateConfig = envoy::extensions::clusters::aggregate::v3::ClusterConfig;
using envoy::extensions::router::cluster_specifiers::matcher::v3::ClusterAction;
using UdpRoute = envoy::extensions::filters::udp::udp_proxy::v3::Route;
using envoy::extensions::transport_sockets::tls::v3::SdsSecretConfig;
using envoy::extensions::upstreams::http::v3::HttpProtocolOptions;

bool isFile(const ConfigSource& source) {
  return source.config_source_specifier_case() == ConfigSource::kPath ||
         source.config_source_specifier_case() == ConfigSource::kPathConfigSource;
}

// The stream that the resource itself came on.
bool isOurs(const ConfigSource& source) {
  return !isFile(source) && source.config_source_specifier_case() != ConfigSource::kApiConfigSource;
}

class Collector {
 public:
  // Settings that stand in a listener were checked with its chain.
  explicit Collector(bool settings) : settings_(settings) {}

  void visit(const google::protobuf::Message& message, const config::Context& context, int depth = 0) {
    if (depth > config::kMaxMessageDepth) return;
    if (message.GetDescriptor() == google::protobuf::Any::descriptor()) {
      visitAny(static_cast<const google::protobuf::Any&>(message), context, depth);
      return;
    }
    // A configuration source names a cluster of the proxy's bootstrap.
    if (message.GetDescriptor() == ConfigSource::descriptor()) return;
    collect(message, context);
    config::forEachSubmessage(message, context, [&](const google::protobuf::Message& inner, const config::Context& at) {
      visit(inner, at, depth + 1);
    });
  }

  Relations take() { return std::move(relations_); }

 private:
  template <typename Message>
  static const Message* as(const google::protobuf::Message& message) {
    return message.GetDescriptor() == Message::descriptor() ? static_cast<const Message*>(&message) : nullptr;
  }

  void visitAny(const google::protobuf::Any& any, const config::Context& context, int depth) {
    const auto inner = config::newMessage(config::typeNameOf(any.type_url()));
    if (inner != nullptr && inner->ParseFromString(any.value())) visit(*inner, context, depth + 1);
  }

  void collect(const google::protobuf::Message& message, const config::Context& context) {
    if (settings_) collectSettings(message, context);
    if (const auto* action = as<RouteAction>(message)) {
      add(ResourceType::kCluster, action->cluster(), context.child("cluster"));
    } else if (const auto* weight = as<WeightedCluster::ClusterWeight>(message)) {
      add(ResourceType::kCluster, weight->name(), context.child("name"));
    } else if (const auto* mirror = as<RouteAction::RequestMirrorPolicy>(message)) {
      add(ResourceType::kCluster, mirror->cluster(), context.child("cluster"));
    } else if (const auto* to = as<ClusterAction>(message)) {
      add(ResourceType::kCluster, to->cluster(), context.child("cluster"));
    } else if (const auto* proxy = as<TcpProxy>(message)) {
      add(ResourceType::kCluster, proxy->cluster(), context.child("cluster"));
    } else if (const auto* share = as<TcpProxy::WeightedCluster::ClusterWeight>(message)) {
      add(ResourceType::kCluster, share->name(), context.child("name"));
    } else if (const auto* udp = as<UdpProxyConfig>(message)) {
      add(ResourceType::kCluster, udp->cluster(), context.child("cluster"));
    } else if (const auto* route = as<UdpRoute>(message)) {
      add(ResourceType::kCluster, route->cluster(), context.child("cluster"));
    } else if (const auto* uri = as<HttpUri>(message)) {
      add(ResourceType::kCluster, uri->cluster(), context.child("cluster"));
    } else if (const auto* grpc = as<GrpcService::EnvoyGrpc>(message)) {
      add(ResourceType::kCluster, grpc->cluster_name(), context.child("cluster_name"));
    } else if (const auto* rds = as<Rds>(message)) {
      add(ResourceType::kRoute, rds->route_config_name(), context.child("route_config_name"), rds->config_source());
    } else if (const auto* scopes = as<ScopedRoutes>(message)) {
      const auto& list = scopes->scoped_route_configurations_list().scoped_route_configurations();
      const config::Context at = context.child("scoped_route_configurations_list");
      for (int i = 0; i < list.size(); ++i) {
        if (list[i].route_configuration_name().empty()) continue;
        add(ResourceType::kRoute, list[i].route_configuration_name(),
            at.child("scoped_route_configurations", static_cast<size_t>(i)).child("route_configuration_name"),
            scopes->rds_config_source());
      }
    } else if (const auto* secret = as<SdsSecretConfig>(message)) {
      // Without a source it is a secret of the proxy's bootstrap.
      if (secret->has_sds_config()) {
        add(ResourceType::kSecret, secret->name(), context.child("name"), secret->sds_config());
      }
    } else if (const auto* cluster = as<Cluster>(message)) {
      collectEndpoints(*cluster, context);
    } else if (const auto* aggregate = as<AggregateConfig>(message)) {
      for (int i = 0; i < aggregate->clusters_size(); ++i) {
        add(ResourceType::kCluster, aggregate->clusters(i), context.child("clusters", static_cast<size_t>(i)));
      }
    } else if (const auto* options = as<HttpProtocolOptions>(message)) {
      addUpstream(options->http_filters());
    } else if (const auto* router = as<Router>(message)) {
      addUpstream(router->upstream_http_filters());
    } else if (const auto* manager = as<HttpConnectionManager>(message)) {
      collectChains(*manager);
    }
  }

  // The chain, for each table by name that it uses.
  void collectChains(const HttpConnectionManager& manager) {
    std::vector<std::string> tables;
    if (manager.has_rds()) tables.push_back(manager.rds().route_config_name());
    for (const auto& scope : manager.scoped_routes().scoped_route_configurations_list().scoped_route_configurations()) {
      if (!scope.route_configuration_name().empty()) tables.push_back(scope.route_configuration_name());
    }
    for (std::string& table : tables) {
      HttpChain chain{std::move(table), {}};
      for (const HttpFilter& filter : manager.http_filters()) chain.filters.push_back(filter.name());
      for (const auto& upgrade : manager.upgrade_configs()) {
        for (const HttpFilter& filter : upgrade.filters()) chain.filters.push_back(filter.name());
      }
      relations_.chains.push_back(std::move(chain));
    }
  }

  void addUpstream(const google::protobuf::RepeatedPtrField<HttpFilter>& filters) {
    for (const HttpFilter& filter : filters) relations_.upstream_filters.push_back(filter.name());
  }

  // Tables, virtual hosts, routes and weighted clusters have the same field for it.
  void collectSettings(const google::protobuf::Message& message, const config::Context& context) {
    const auto* field = message.GetDescriptor()->FindFieldByName("typed_per_filter_config");
    if (field == nullptr || !field->is_map()) return;
    const google::protobuf::Reflection& fields = *message.GetReflection();
    std::set<std::string> names;
    for (int i = 0; i < fields.FieldSize(message, field); ++i) {
      const google::protobuf::Message& entry = fields.GetRepeatedMessage(message, field, i);
      const auto& any = static_cast<const google::protobuf::Any&>(
          entry.GetReflection()->GetMessage(entry, field->message_type()->map_value()));
      FilterConfig wrapper;
      if (any.Is<FilterConfig>() && any.UnpackTo(&wrapper) && wrapper.is_optional()) continue;
      names.insert(entry.GetReflection()->GetString(entry, field->message_type()->map_key()));
    }
    for (const std::string& name : names) {
      relations_.settings.push_back({name, locationOf(context.entry("typed_per_filter_config", name))});
    }
  }

  void collectEndpoints(const Cluster& cluster, const config::Context& context) {
    if (cluster.type() != Cluster::EDS) return;
    const ConfigSource& source = cluster.eds_cluster_config().eds_config();
    const std::string& service = cluster.eds_cluster_config().service_name();
    if (service.empty()) {
      add(ResourceType::kEndpoints, cluster.name(), context.child("name"), source);
    } else {
      add(ResourceType::kEndpoints, service, context.child("eds_cluster_config").child("service_name"), source);
    }
  }

  void add(ResourceType type, const std::string& name, const config::Context& context, const ConfigSource& source) {
    if (!isFile(source)) add(type, name, context, isOurs(source));
  }

  void add(ResourceType type, const std::string& name, const config::Context& context, bool ours = true) {
    if (!name.empty()) relations_.references.push_back({type, name, locationOf(context), ours});
  }

  static Location locationOf(const config::Context& context) {
    Location location;
    location.path = context.path();
    if (context.positions() != nullptr) {
      const config::Position position = context.positions()->find(context.path());
      location.file = std::string(position.file);
      location.line = position.line;
      location.column = position.column;
    }
    return location;
  }

  const bool settings_;
  Relations relations_;
};

}  // namespace

Relations relationsOf(const google::protobuf::Message& resource, const config::Context& context) {
  Collector collector(resource.GetDescriptor() == RouteConfiguration::descriptor());
  collector.visit(resource, context);
  return collector.take();
}

}  // namespace sluice::control_plane
