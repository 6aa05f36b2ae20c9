#include "source/control_plane/intent.h"

#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "source/config/validate.h"

namespace sluice::control_plane {
namespace {

using Catch::Matchers::Contains;

constexpr std::string_view kCluster = R"(
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: backend
  type: STATIC
  connect_timeout: 1s
  load_assignment:
    cluster_name: backend
    endpoints:
    - lb_endpoints:
      - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 8080}}}
)";
constexpr std::string_view kRoutes = R"(
- "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
  name: routes
  virtual_hosts:
  - name: all
    domains: ["*"]
    routes:
    - match: {prefix: /}
      route: {cluster: backend}
)";
constexpr std::string_view kListener = R"(
- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  name: front
  address: {socket_address: {address: 0.0.0.0, port_value: 10000}}
  filter_chains:
  - filters:
    - name: http
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
        stat_prefix: front
        rds: {route_config_name: routes, config_source: {ads: {}, resource_api_version: V3}}
        http_filters:
        - name: router
          typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
)";

std::string resources(std::initializer_list<std::string_view> items, std::string_view nodes = "") {
  std::string text(nodes);
  text += "resources:";
  for (std::string_view item : items) text += item;
  return text;
}

// The rules of the fields only: the compilers have tests of their own.
class FieldRules final : public ResourceValidator {
 public:
  void validate(const google::protobuf::Message& resource, const config::Context& context) const override {
    config::validate(resource, context);
  }
};

struct Loaded {
  config::ErrorList errors;
  std::unique_ptr<Intent> intent;
};

Loaded load(std::vector<std::pair<std::string, std::string>> texts) {
  Loaded loaded;
  std::vector<IntentFilePtr> files;
  for (const auto& [name, text] : texts) {
    if (IntentFilePtr file = readIntentFile(name, text, FieldRules(), loaded.errors)) files.push_back(std::move(file));
  }
  if (loaded.errors.empty()) loaded.intent = Intent::make(std::move(files), loaded.errors);
  return loaded;
}

std::string errorsOf(std::vector<std::pair<std::string, std::string>> texts) {
  return load(std::move(texts)).errors.toString();
}

}  // namespace

TEST_CASE("Resources in any split are one snapshot") {
  const Loaded one = load({{"all.yaml", resources({kCluster, kRoutes, kListener})}});
  const Loaded three =
      load({{"a.yaml", resources({kListener})}, {"b.yaml", resources({kCluster})}, {"c.yaml", resources({kRoutes})}});
  INFO(one.errors.toString() + three.errors.toString());
  REQUIRE(one.intent);
  REQUIRE(three.intent);

  CHECK(one.intent->version() == three.intent->version());
  CHECK((*one.intent->snapshotFor({}))->version() == (*three.intent->snapshotFor({}))->version());
  CHECK((*one.intent->snapshotFor({}))->find(ResourceType::kListener, "front")->addresses ==
        std::vector<std::string>{"0.0.0.0:10000"});
}

TEST_CASE("A bootstrap's static resources are taken, its other keys are refused by name") {
  const std::string text = R"(
static_resources:
  clusters:
  - name: backend
    type: STATIC
    connect_timeout: 1s
    load_assignment: {cluster_name: backend}
)";
  CHECK(load({{"a.yaml", text}}).intent);

  const std::string errors = errorsOf({{"a.yaml", text + "admin: {}\nresorces: []\n"}});
  CHECK_THAT(errors, Contains("a.yaml:8:1: admin: belongs to a proxy's bootstrap"));
  CHECK_THAT(errors, Contains("a.yaml:9:1: resorces: unknown field") && Contains("did you mean `resources`"));
}

TEST_CASE("A name given twice to a node names both files") {
  const std::string errors = errorsOf({{"a.yaml", resources({kCluster})}, {"b.yaml", resources({kCluster})}});

  CHECK_THAT(errors, Contains("b.yaml:2:3: resources[0]: cluster 'backend' is given twice") && Contains("a.yaml:2:3"));
}

TEST_CASE("One name for two fleets is two resources") {
  const Loaded loaded = load({{"a.yaml", resources({kCluster}, "nodes: [{cluster: blue}]\n")},
                              {"b.yaml", resources({kCluster}, "nodes: [{cluster: green}]\n")},
                              {"c.yaml", resources({kRoutes})}});
  INFO(loaded.errors.toString());
  REQUIRE(loaded.intent);

  CHECK(loaded.intent->snapshotFor({.cluster = "blue"}).ok());
  CHECK(loaded.intent->snapshotFor({.cluster = "green"}).ok());
  CHECK_THAT(std::string(loaded.intent->snapshotFor({.cluster = "red"}).status().message()),
             Contains("cluster 'backend' is not given to this node"));
}

TEST_CASE("A name given twice to a node that two selectors match is an error where one covers the other") {
  const std::string errors = errorsOf({{"a.yaml", resources({kCluster}, "nodes: [{id: edge-*}]\n")},
                                       {"b.yaml", resources({kCluster}, "nodes: [{id: edge-7}]\n")}});

  CHECK_THAT(errors, Contains("given twice"));
}

TEST_CASE("Nodes of one group share a snapshot") {
  const Loaded loaded = load({{"a.yaml", resources({kCluster}, "nodes: [{id: edge-*}]\n")}});
  REQUIRE(loaded.intent);

  CHECK(*loaded.intent->snapshotFor({.id = "edge-1"}) == *loaded.intent->snapshotFor({.id = "edge-2"}));
  CHECK(*loaded.intent->snapshotFor({.id = "edge-1"}) != *loaded.intent->snapshotFor({.id = "core"}));
}

TEST_CASE("References to nothing are told with their place") {
  CHECK_THAT(
      errorsOf({{"a.yaml", resources({kRoutes})}}),
      Contains("a.yaml:9:") && Contains("resources[0].virtual_hosts[0].routes[0].route.cluster: cluster 'backend'"));
  CHECK_THAT(errorsOf({{"a.yaml", resources({kListener})}}),
             Contains("a.yaml:11:") && Contains("route 'routes' does not exist"));
  CHECK_THAT(errorsOf({{"a.yaml", resources({R"(
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: backend
  type: EDS
  connect_timeout: 1s
  eds_cluster_config: {service_name: svc, eds_config: {ads: {}, resource_api_version: V3}}
)"})}}),
             Contains("a.yaml:6:") && Contains("endpoints 'svc' does not exist"));
}

TEST_CASE("Clusters that a TCP proxy names have to be there, too") {
  const auto tcp = [](std::string_view to) {
    return resources({kCluster, absl::StrCat(R"(
- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  name: tcp
  address: {socket_address: {address: 0.0.0.0, port_value: 10001}}
  filter_chains:
  - filters:
    - name: tcp
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
        stat_prefix: tcp
        )",
                                             std::string(to), "\n")});
  };
  CHECK(errorsOf({{"a.yaml", tcp("cluster: backend")}}) == "");
  CHECK_THAT(errorsOf({{"a.yaml", tcp("cluster: nobody")}}),
             Contains("filter_chains[0].filters[0].typed_config.cluster: cluster 'nobody' does not exist"));
  CHECK_THAT(
      errorsOf(
          {{"a.yaml", tcp("weighted_clusters: {clusters: [{name: backend, weight: 1}, {name: nobody, weight: 1}]}")}}),
      Contains("weighted_clusters.clusters[1].name: cluster 'nobody' does not exist"));
}

TEST_CASE("Clusters that matchers lead to have to be there, too") {
  const auto routes = [](std::string_view host) {
    return resources({kCluster, absl::StrCat(R"(
- "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
  name: routes
  virtual_hosts:
  - name: all
    domains: ["*"]
    )",
                                             std::string(host), "\n")});
  };
  const auto matcher = [&](std::string_view cluster) {
    return routes(
        absl::StrCat("matcher: {on_no_match: {action: {name: r, typed_config: {'@type': type.googleapis.com/"
                     "envoy.config.route.v3.Route, match: {prefix: /}, route: {cluster: ",
                     std::string(cluster), "}}}}}"));
  };
  const auto specifier = [&](std::string_view cluster) {
    return routes(absl::StrCat(
        "routes: [{match: {prefix: /}, route: {inline_cluster_specifier_plugin: {extension: {name: p, typed_config: "
        "{'@type': type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier, "
        "cluster_matcher: {on_no_match: {action: {name: c, typed_config: {'@type': type.googleapis.com/"
        "envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction, cluster: ",
        std::string(cluster), "}}}}}}}}}]"));
  };

  CHECK(errorsOf({{"a.yaml", matcher("backend")}}) == "");
  CHECK(errorsOf({{"a.yaml", specifier("backend")}}) == "");
  CHECK_THAT(errorsOf({{"a.yaml", matcher("nobody")}}),
             Contains("matcher.on_no_match.action.typed_config.route.cluster: cluster 'nobody' does not exist"));
  CHECK_THAT(errorsOf({{"a.yaml", specifier("nobody")}}),
             Contains("on_no_match.action.typed_config.cluster: cluster 'nobody' does not exist"));
}

TEST_CASE("A reference to what goes to other nodes only is told") {
  CHECK_THAT(errorsOf({{"a.yaml", resources({kCluster}, "nodes: [{id: a}]\n")},
                       {"b.yaml", resources({kRoutes}, "nodes: [{id: b}]\n")}}),
             Contains("cluster 'backend' is in a.yaml, which goes to other nodes only"));
}

TEST_CASE("Clusters and listeners know what a client needs before it uses them") {
  const std::string source =
      "eds_config: {api_config_source: {api_type: GRPC, transport_api_version: V3, "
      "grpc_services: [{envoy_grpc: {cluster_name: xds}}]}}";
  const auto needsOf = [](const Loaded& loaded, ResourceType type, const char* name) {
    INFO(loaded.errors.toString());
    REQUIRE(loaded.intent);
    return (*loaded.intent->snapshotFor({}))->find(type, name)->needs;
  };
  using Needs = std::vector<ResourceName>;

  const Loaded loaded = load({{"a.yaml", resources({kCluster, kRoutes, kListener, R"(
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: discovered
  type: EDS
  connect_timeout: 1s
  eds_cluster_config: {service_name: svc, )" + source + "}\n"})}});

  CHECK(needsOf(loaded, ResourceType::kListener, "front") == Needs{{ResourceType::kRoute, "routes"}});
  CHECK(needsOf(loaded, ResourceType::kCluster, "discovered") == Needs{{ResourceType::kEndpoints, "svc"}});
  CHECK(needsOf(loaded, ResourceType::kCluster, "backend").empty());
}

// --- tables and chains ---------------------------------------------------------------------------------------------

namespace {

std::string routesWith(std::string_view settings) {
  return absl::StrCat(std::string(kRoutes), "      typed_per_filter_config: {", std::string(settings), "}\n");
}

constexpr std::string_view kBuffer =
    R"({"@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.BufferPerRoute, disabled: true})";

}  // namespace

TEST_CASE("Settings for a filter that no chain of their table has are told with the nearest name") {
  const std::string settings = absl::StrCat("routr: ", std::string(kBuffer));

  const std::string errors =
      errorsOf({{"a.yaml", resources({kListener, kCluster})}, {"b.yaml", resources({routesWith(settings)})}});

  CHECK_THAT(errors, Contains("b.yaml:") &&
                         Contains("routes[0].typed_per_filter_config[\"routr\"]: no chain that uses "
                                  "route 'routes' has a filter named 'routr'") &&
                         Contains("did you mean 'router'?"));
}

TEST_CASE("Settings are in order that a chain has, that are optional, or whose chains are not here") {
  const std::string optional = absl::StrCat(
      R"(x: {"@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, is_optional: true, config: )",
      std::string(kBuffer), "}");
  const std::string known = absl::StrCat("router: ", std::string(kBuffer));

  CHECK(errorsOf({{"a.yaml", resources({kListener, kCluster, routesWith(known)})}}) == "");
  CHECK(errorsOf({{"a.yaml", resources({kListener, kCluster, routesWith(optional)})}}) == "");
  CHECK(errorsOf({{"a.yaml", resources({kCluster, routesWith(absl::StrCat("x: ", std::string(kBuffer)))})}}) == "");
}

TEST_CASE("Tables that scopes name have to be there, with settings for filters of the chain") {
  const auto scoped = [](std::string_view table) {
    return absl::StrCat(R"(
- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  name: front
  address: {socket_address: {address: 0.0.0.0, port_value: 10000}}
  filter_chains:
  - filters:
    - name: http
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
        stat_prefix: front
        scoped_routes:
          name: tenants
          scope_key_builder: {fragments: [{header_value_extractor: {name: x-tenant, index: 0}}]}
          rds_config_source: {ads: {}, resource_api_version: V3}
          scoped_route_configurations_list:
            scoped_route_configurations:
            - {name: one, key: {fragments: [{string_key: a}]}, route_configuration_name: )",
                        std::string(table), R"(}
        http_filters:
        - name: router
          typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
)");
  };
  const std::string unknown = absl::StrCat("routr: ", std::string(kBuffer));

  CHECK(errorsOf({{"a.yaml", resources({scoped("routes"), kCluster, kRoutes})}}) == "");
  CHECK_THAT(errorsOf({{"a.yaml", resources({scoped("others"), kCluster, kRoutes})}}),
             Contains("scoped_route_configurations[0].route_configuration_name: route 'others' does not exist"));
  CHECK_THAT(errorsOf({{"a.yaml", resources({scoped("routes"), kCluster, routesWith(unknown)})}}),
             Contains("has a filter named 'routr'"));
}

TEST_CASE("Settings are in order for an upstream filter of a cluster") {
  const std::string cluster = absl::StrCat(std::string(kCluster), R"(  typed_extension_protocol_options:
    envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
      "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
      explicit_http_config: {http_protocol_options: {}}
      http_filters:
      - name: up
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer, max_request_bytes: 1}
      - name: end
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec}
)");
  const std::string settings = absl::StrCat("up: ", std::string(kBuffer));

  CHECK(errorsOf({{"a.yaml", resources({kListener, cluster, routesWith(settings)})}}) == "");
  CHECK_THAT(errorsOf({{"a.yaml", resources({kListener, kCluster, routesWith(settings)})}}),
             Contains("has a filter named 'up'"));
}

TEST_CASE("What gRPC clients cannot use behind an API listener is a warning of the resource that has it") {
  const Loaded loaded = load({{"a.yaml", resources({kCluster, R"(
- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  name: svc
  api_listener:
    api_listener:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: svc
      rds: {route_config_name: api, config_source: {ads: {}, resource_api_version: V3}}
      http_filters:
      - name: buffer
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer, max_request_bytes: 1}
      - name: router
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
- "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
  name: api
  virtual_hosts:
  - name: all
    domains: ["*"]
    routes:
    - match: {path_separated_prefix: /a}
      redirect: {host_redirect: b}
    - match: {prefix: /d, headers: [{name: h, string_match: {exact: v}}]}
      direct_response: {status: 200}
    - match: {prefix: /w}
      route: {weighted_clusters: {clusters: [{name: backend, weight: 1}, {name: random, weight: 2}]}}
      typed_per_filter_config:
        buffer: )",
                                                    kBuffer, R"(
    - match: {prefix: /h, cookies: [{name: a, string_match: {exact: b}}]}
      route: {cluster_header: x-cluster}
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: random
  type: EDS
  lb_policy: RANDOM
  connect_timeout: 1s
  eds_cluster_config: {eds_config: {ads: {}, resource_api_version: V3}}
  transport_socket:
    name: raw
    typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}
- "@type": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment
  cluster_name: random
  endpoints:
  - lb_endpoints:
    - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 1}}}
    - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 1}}}
  - priority: 2
    locality: {}
    load_balancing_weight: 1
  - priority: 2
    locality: {}
    load_balancing_weight: 1
)"})}});
  INFO(loaded.errors.toString());
  REQUIRE(loaded.intent);

  std::string told;
  for (const config::ConfigError& warning : loaded.errors.warnings()) told += warning.toString() + "\n";

  for (const char* expected :
       {"http_filters[0]: gRPC clients of API listener 'svc' cannot use this listener ('svc'): calls fail",
        "path_separated_prefix", "routes[3].match.cookies: ", "routes[0].redirect",
        "routes[1].match.headers[0].string_match", "routes[1].direct_response", "weighted_clusters.total_weight: ",
        "the sum of the weights (3)", "routes[2].typed_per_filter_config[\"buffer\"]", "routes[3].route: gRPC",
        "they know only cluster and weighted_clusters", "cluster ('backend'): is STATIC",
        "cluster ('random'): is RANDOM", "they refuse raw_buffer",
        "endpoints ('random'): is missing: without it every call is UNAVAILABLE",
        "endpoints[0].locality: ", "lb_endpoints[1]: ", "endpoints[2].locality: ", "the priorities have a gap"}) {
    CAPTURE(expected, told);
    CHECK(told.find(expected) != std::string::npos);
  }
  CHECK(loaded.errors.warnings().size() == 17);
}

TEST_CASE("Only what an API listener leads to is looked at for gRPC clients") {
  CHECK(load({{"a.yaml", resources({kCluster, kRoutes, kListener})}}).errors.warnings().empty());
}

TEST_CASE("All errors of a file are told at once") {
  const std::string errors =
      errorsOf({{"a.yaml", "resources:\n- {\"@type\": x/y.Z}\n- {name: a}\nnodes: [{id: a*b}]\n"}});

  CHECK_THAT(errors, Contains("a.yaml:2:") && Contains("a.yaml:3:") && Contains("a.yaml:4:"));
}

TEST_CASE("Types that are not served are refused") {
  CHECK_THAT(errorsOf({{"a.yaml", R"(
resources:
- "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
)"}}),
             Contains("is not served"));
}

TEST_CASE("JSON files are read too") {
  CHECK(
      load({{"a.json", R"({"resources": [{"@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
      "clusterName": "svc"}]})"}})
          .intent);
}

TEST_CASE("An empty file gives nothing and is no error") {
  CHECK(load({{"a.yaml", ""}}).intent);
}

}  // namespace sluice::control_plane
