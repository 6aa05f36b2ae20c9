#include "source/control_plane/grpc_clients.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "source/base/text.h"
#include "source/config/any_type.h"

namespace sluice::control_plane {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::config::endpoint::v3::ClusterLoadAssignment;
using envoy::config::endpoint::v3::LocalityLbEndpoints;
using envoy::config::listener::v3::Listener;
using envoy::config::route::v3::FilterConfig;
using envoy::config::route::v3::Route;
using envoy::config::route::v3::RouteAction;
using envoy::config::route::v3::RouteConfiguration;
using envoy::config::route::v3::RouteMatch;
using envoy::config::route::v3::VirtualHost;
using envoy::config::route::v3::WeightedCluster;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
using google::protobuf::Any;

constexpr std::string_view kRawBuffer = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";

// The filters that clients know, and their settings for routes.
bool isKnownFilter(std::string_view type) {
  for (const std::string_view known :
       {"envoy.extensions.filters.http.router.v3.", "envoy.extensions.filters.http.rbac.v3.",
        "envoy.extensions.filters.http.fault.v3."}) {
    if (type.starts_with(known)) return true;
  }
  return false;
}

class Walk {
 public:
  Walk(const std::vector<IntentFilePtr>& files, config::ErrorList& errors) : errors_(errors) {
    for (const IntentFilePtr& file : files) {
      for (const IntentResource& item : file->resources) {
        resources_.emplace(std::pair(item.resource->type, std::string_view(item.resource->name)), &item);
      }
    }
  }

  void visitListener(const IntentResource& item) {
    Listener listener;
    HttpConnectionManager manager;
    if (!listener.ParseFromString(item.resource->bytes)) return;
    if (!listener.api_listener().api_listener().UnpackTo(&manager)) return;
    listener_ = item.resource->name;
    at_ = &item;
    for (int i = 0; i < manager.http_filters_size(); ++i) {
      const HttpFilter& filter = manager.http_filters(i);
      if (isKnownFilter(config::typeNameOf(filter.typed_config().type_url()))) continue;
      warn(base::strCat("api_listener.api_listener.http_filters[", i, "]"),
           "calls fail: the clients do not know this filter");
    }
    if (manager.has_route_config()) visitRoutes(manager.route_config(), "api_listener.api_listener.route_config.");
    if (manager.has_rds()) {
      follow<RouteConfiguration>(ResourceType::kRoute, manager.rds().route_config_name(),
                                 [this](const RouteConfiguration& routes) { visitRoutes(routes, ""); });
    }
  }

 private:
  template <typename Message, typename Visit>
  void follow(ResourceType type, const std::string& name, Visit visit) {
    const auto found = resources_.find({type, name});
    if (found == resources_.end() || !visited_.insert(found->second).second) return;
    Message message;
    if (!message.ParseFromString(found->second->resource->bytes)) return;
    const IntentResource* const before = std::exchange(at_, found->second);
    visit(message);
    at_ = before;
  }

  void warn(const std::string& path, std::string_view message) {
    const Location& place = at_->location;
    errors_.warn({place.file, place.line, place.column, base::strCat(place.path, path.empty() ? "" : ".", path), "",
                  base::strCat("gRPC clients of API listener '", listener_, "' cannot use this ",
                               typeWord(at_->resource->type), " ('", at_->resource->name, "'): ", message)});
  }

  template <typename Configs>
  void checkSettings(const Configs& configs, const std::string& path) {
    std::set<std::string> unknown;
    for (const auto& [name, any] : configs) {
      FilterConfig wrapper;
      const bool wrapped = any.template Is<FilterConfig>() && any.UnpackTo(&wrapper);
      if (wrapped && wrapper.is_optional()) continue;
      if (!isKnownFilter(config::typeNameOf((wrapped ? wrapper.config() : any).type_url()))) unknown.insert(name);
    }
    for (const std::string& name : unknown) {
      warn(base::strCat(path, "typed_per_filter_config[\"", name, "\"]"),
           "they refuse settings for a filter that they do not know; wrap them in a FilterConfig with is_optional");
    }
  }

  void visitRoutes(const RouteConfiguration& routes, const std::string& path) {
    checkSettings(routes.typed_per_filter_config(), path);
    for (int i = 0; i < routes.virtual_hosts_size(); ++i) {
      const VirtualHost& host = routes.virtual_hosts(i);
      const std::string at = base::strCat(path, "virtual_hosts[", i, "].");
      checkSettings(host.typed_per_filter_config(), at);
      if (host.has_matcher()) warn(at + "matcher", "they do not know it, and see no routes in this host; use routes");
      for (int k = 0; k < host.routes_size(); ++k) visitRoute(host.routes(k), base::strCat(at, "routes[", k, "]."));
    }
  }

  void checkMatch(const RouteMatch& match, const std::string& path) {
    if (match.has_path_match_policy()) {
      warn(path + "path_match_policy", "they do not know it; use prefix, path or safe_regex");
    }
    const std::pair<const char*, bool> unseen[] = {{"tls_context", match.has_tls_context()},
                                                   {"dynamic_metadata", !match.dynamic_metadata().empty()},
                                                   {"filter_state", !match.filter_state().empty()},
                                                   {"cookies", !match.cookies().empty()}};
    for (const auto& [field, is_set] : unseen) {
      if (is_set) warn(path + field, "they do not look at it, and their requests match whatever it says; remove it");
    }
  }

  void visitRoute(const Route& route, const std::string& path) {
    checkSettings(route.typed_per_filter_config(), path);
    if (route.match().path_specifier_case() == RouteMatch::kPathSeparatedPrefix) {
      warn(path + "match.path_separated_prefix", "they do not know it; use prefix or path");
    }
    checkMatch(route.match(), path + "match.");
    for (int i = 0; i < route.match().headers_size(); ++i) {
      if (!route.match().headers(i).has_string_match()) continue;
      warn(base::strCat(path, "match.headers[", i, "].string_match"),
           "those of C++ up to 1.51 do not know it; use exact_match, prefix_match or their like");
    }
    if (route.has_redirect()) warn(path + "redirect", "those of Node refuse it; they need a route with a cluster");
    if (route.has_direct_response()) {
      warn(path + "direct_response", "those of Node refuse it; they need a route with a cluster");
    }
    if (!route.has_route()) return;
    if (route.route().cluster_specifier_case() == RouteAction::kCluster) return visitCluster(route.route().cluster());
    if (!route.route().has_weighted_clusters()) {
      return warn(path + "route", "they know only cluster and weighted_clusters, and leave out a route without");
    }
    const WeightedCluster& weighted = route.route().weighted_clusters();
    uint64_t sum = 0;
    for (int i = 0; i < weighted.clusters_size(); ++i) {
      sum += weighted.clusters(i).weight().value();
      checkSettings(weighted.clusters(i).typed_per_filter_config(),
                    base::strCat(path, "route.weighted_clusters.clusters[", i, "]."));
      if (!weighted.clusters(i).name().empty()) visitCluster(weighted.clusters(i).name());
    }
    if (sum != (weighted.has_total_weight() ? weighted.total_weight().value() : 100)) {
      warn(path + "route.weighted_clusters.total_weight",
           base::strCat("those of C++ up to 1.51 want the sum of the weights (", sum, ") here, or a sum of 100"));
    }
  }

  void visitCluster(const std::string& name) {
    follow<Cluster>(ResourceType::kCluster, name, [this](const Cluster& cluster) { checkCluster(cluster); });
  }

  void checkCluster(const Cluster& cluster) {
    if (cluster.type() != Cluster::EDS && cluster.type() != Cluster::LOGICAL_DNS) {
      warn("type", base::strCat("is ", Cluster::DiscoveryType_Name(cluster.type()), "; they take EDS or LOGICAL_DNS"));
    }
    if (cluster.lb_policy() != Cluster::ROUND_ROBIN && cluster.lb_policy() != Cluster::RING_HASH &&
        cluster.lb_policy() != Cluster::LOAD_BALANCING_POLICY_CONFIG) {
      warn("lb_policy",
           base::strCat("is ", Cluster::LbPolicy_Name(cluster.lb_policy()), "; they take ROUND_ROBIN or RING_HASH"));
    }
    if (config::typeNameOf(cluster.transport_socket().typed_config().type_url()) == kRawBuffer) {
      warn("transport_socket", "they refuse raw_buffer; leave the socket out");
    }
    if (cluster.type() != Cluster::EDS) return;
    const std::string& service = cluster.eds_cluster_config().service_name();
    follow<ClusterLoadAssignment>(ResourceType::kEndpoints, service.empty() ? cluster.name() : service,
                                  [this](const ClusterLoadAssignment& assignment) { checkAssignment(assignment); });
  }

  void checkAssignment(const ClusterLoadAssignment& assignment) {
    std::set<std::string> localities;
    std::set<std::string> addresses;
    std::set<uint32_t> priorities;
    for (int i = 0; i < assignment.endpoints_size(); ++i) {
      const LocalityLbEndpoints& locality = assignment.endpoints(i);
      const std::string path = base::strCat("endpoints[", i, "]");
      if (!locality.has_locality()) warn(path + ".locality", "is missing; an empty one will do");
      if (!locality.has_load_balancing_weight()) {
        warn(path + ".load_balancing_weight", "is missing: without it every call is UNAVAILABLE");
      }
      priorities.insert(locality.priority());
      const std::string place = base::strCat(locality.priority(), "/", locality.locality().SerializeAsString());
      if (!localities.insert(place).second) warn(path + ".locality", "is that of an earlier entry; make them one");
      for (int k = 0; k < locality.lb_endpoints_size(); ++k) {
        const auto& address = locality.lb_endpoints(k).endpoint().address();
        if (addresses.insert(address.SerializeAsString()).second) continue;
        warn(base::strCat(path, ".lb_endpoints[", k, "]"), "its address stands there twice");
      }
    }
    if (!priorities.empty() && *priorities.rbegin() + 1 != priorities.size()) {
      warn("endpoints", "the priorities have a gap; number them from 0");
    }
  }

  config::ErrorList& errors_;
  std::map<std::pair<ResourceType, std::string_view>, const IntentResource*> resources_;
  std::set<const IntentResource*> visited_;
  std::string listener_;
  const IntentResource* at_ = nullptr;
};

}  // namespace

void warnForGrpcClients(const std::vector<IntentFilePtr>& files, config::ErrorList& errors) {
  Walk walk(files, errors);
  for (const IntentFilePtr& file : files) {
    for (const IntentResource& item : file->resources) {
      if (item.resource->api_listener) walk.visitListener(item);
    }
  }
}

}  // namespace sluice::control_plane
