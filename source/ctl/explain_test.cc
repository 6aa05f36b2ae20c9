// Explanations of small bootstraps, compiled as the proxy compiles them.
#include <catch2/catch.hpp>

#include "source/ctl/file_configuration.h"
#include "source/explain/explain.h"
#include "source/extensions/all.h"
#include "source/route/sticky_split.h"

namespace sluice::ctl {
namespace {

using Catch::Matchers::Contains;
using explain::Explanation;
using explain::Parameters;

const std::string kClusters = R"(
  clusters:
  - {name: web, type: STATIC, load_assignment: {cluster_name: web, endpoints: [{lb_endpoints: [
      {endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 8001}}}}]}]}}
  - {name: api, type: STATIC, load_assignment: {cluster_name: api, endpoints: []}}
  - {name: beta, type: STATIC, load_assignment: {cluster_name: beta, endpoints: []}}
)";

// A listener "NAME" at a port with these fields of its connection manager, indented by ten.
std::string listener(const std::string& name, int port, const std::string& manager) {
  return "  - name: " + name +
         "\n    address: {socket_address: {address: 127.0.0.1, port_value: " + std::to_string(port) + R"(}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: a
)" + manager;
}

const std::string kRouter = R"(
          - name: router
            typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
)";

const std::string kRoutes = R"(
          route_config:
            name: table
            response_headers_to_add: [{header: {key: x-table, value: t}}]
            virtual_hosts:
            - name: shop
              domains: [shop.example, '*.shop.example']
              request_headers_to_add: [{header: {key: x-token, value: secret}}]
              routes:
              - {name: beta, match: {prefix: /, headers: [{name: x-beta, present_match: true}]}, route: {cluster: beta}}
              - name: api
                match: {path_separated_prefix: /api}
                route: {cluster: api, prefix_rewrite: /v1, timeout: 3s,
                        retry_policy: {retry_on: '5xx,reset', num_retries: 2}, hash_policy: [{connection_properties: {source_ip: true}}]}
              - {name: old, match: {prefix: /old}, redirect: {path_redirect: /new}}
              - {name: teapot, match: {path: /tea}, direct_response: {status: 418, body: {inline_string: short}}}
              - name: split
                match: {prefix: /split}
                route:
                  weighted_clusters:
                    header_name: x-random
                    clusters: [{name: web, weight: 1}, {name: api, weight: 3}]
              - name: gone
                match: {prefix: /gone}
                route: {cluster_header: x-cluster}
              - {name: rest, match: {prefix: /web}, route: {cluster: web}}
)";

class Asked {
 public:
  explicit Asked(const std::string& listeners, const std::string& more_clusters = "") {
    extensions::registerAll(registry_);
    server::Options options;
    options.config_yaml = "static_resources:\n  listeners:\n" + listeners + kClusters + more_clusters;
    configuration_ = FileConfiguration::load(options, registry_, errors_);
    INFO(errors_.toString());
    REQUIRE(configuration_ != nullptr);
  }
  Asked() : Asked(listener("edge", 8080, "          http_filters:" + kRouter + kRoutes)) {}

  absl::StatusOr<Explanation> ask(Parameters parameters) const {
    const absl::StatusOr<explain::Request> request = explain::requestOf(parameters);
    REQUIRE(request.ok());
    return explain::explain(*request, *configuration_);
  }
  Explanation of(const std::string& url, Parameters more = {}) const {
    more.emplace_back("request", url);
    absl::StatusOr<Explanation> out = ask(std::move(more));
    INFO(out.status().ToString());
    REQUIRE(out.ok());
    return *std::move(out);
  }
  std::string problem(Parameters parameters) const {
    return std::string(ask(std::move(parameters)).status().message());
  }

 private:
  config::Registry registry_;
  config::ErrorList errors_;
  std::unique_ptr<FileConfiguration> configuration_;
};

TEST_CASE("An explanation names the route and where it leads") {
  struct Case {
    const char* url;
    Parameters more;
    const char* route;
    const char* cluster;
  };
  const Case cases[] = {
      {"http://shop.example:8080/api/users", {}, "", ""},  // the port is a part of the host
      {"http://shop.example/api", {}, "api", "api"},
      {"http://shop.example/api/users?q", {}, "api", "api"},
      {"http://shop.example/apis", {}, "", ""},
      {"http://SHOP.example/x/../api", {}, "api", "api"},
      {"http://a.shop.example/web", {}, "rest", "web"},
      {"http://shop.example/api", {{"header", "x-beta: 1"}}, "beta", "beta"},
      {"http://shop.example/gone", {{"header", "x-cluster: web"}}, "gone", "web"},
      {"http://other.example/api", {}, "", ""},
  };
  const Asked asked;
  for (const Case& each : cases) {
    CAPTURE(each.url);
    const Explanation out = asked.of(each.url, each.more);
    CHECK((out.route ? out.route->name : "") == each.route);
    CHECK((out.forward ? out.forward->cluster : "") == each.cluster);
    CHECK(out.answer.has_value() == std::string(each.route).empty());
  }
}

TEST_CASE("A route tells what matched, what did not, and what it makes of the request") {
  const Explanation out = Asked().of("http://shop.example/api/users?q=1");

  CHECK(out.listener.name == "edge");
  CHECK(out.listener.place.path == "static_resources.listeners[0]");
  REQUIRE(out.virtual_host.has_value());
  CHECK(out.virtual_host->domain == "shop.example");
  CHECK(out.virtual_host->table == "table");
  REQUIRE(out.route.has_value());
  CHECK(out.route->index == 1u);
  CHECK(out.route->matched == "path_separated_prefix /api");
  REQUIRE(out.route->passed.size() == 1);
  CHECK(out.route->passed[0].name == "beta");
  CHECK(out.route->passed[0].why == "header x-beta does not match");
  CHECK_THAT(out.route->place.path, Contains("route_config.virtual_hosts[0].routes[1]"));
  REQUIRE(out.forward.has_value());
  CHECK(out.forward->path == "/v1/users?q=1");
  CHECK(out.forward->timeout == std::chrono::seconds(3));
  REQUIRE(out.forward->retry.has_value());
  CHECK(out.forward->retry->on == std::vector<std::string>{"5xx", "reset"});
  CHECK(out.forward->retry->num_retries == 2);
  CHECK(out.forward->hash_policy == std::vector<std::string>{"source_ip"});
  REQUIRE(out.clusters.size() == 1);
  CHECK(out.clusters[0].name == "api");
}

TEST_CASE("Header changes come in the order of their levels, and credentials are not shown") {
  const Explanation out = Asked().of("http://shop.example/web");

  REQUIRE(out.request_changes.size() == 1);
  CHECK(out.request_changes[0] == explain::HeaderChange{"append", "x-token", "[redacted]", "virtual host 'shop'"});
  REQUIRE(out.response_changes.size() == 1);
  CHECK(out.response_changes[0] == explain::HeaderChange{"append", "x-table", "t", "table 'table'"});
}

TEST_CASE("What the proxy answers itself is told") {
  const Asked asked;

  const Explanation redirect = asked.of("http://shop.example/old");
  const Explanation direct = asked.of("http://shop.example/tea");
  const Explanation nothing = asked.of("http://shop.example/nothing");
  const Explanation climbs = asked.of("http://shop.example/../x");
  const Explanation tunnel = asked.of("http://shop.example/web", {{"header", "upgrade: websocket"}});

  CHECK(redirect.answer->status == 301);
  CHECK(redirect.answer->location == "http://shop.example/new");
  CHECK(direct.answer->status == 418);
  CHECK(direct.answer->body == "short");
  CHECK(nothing.answer->status == 404);
  CHECK(climbs.answer->status == 400);
  CHECK(climbs.answer->details == "path_normalization_failed");
  CHECK(tunnel.answer->status == 403);
}

TEST_CASE("Shares are exact, and which one is taken is told where no chance decides") {
  const Asked asked;

  const Explanation chance = asked.of("http://shop.example/split");
  const Explanation chosen = asked.of("http://shop.example/split", {{"header", "x-random: 1"}});

  REQUIRE(chance.forward->shares.size() == 2);
  CHECK(chance.forward->decided_by == "chance");
  CHECK(chance.forward->cluster.empty());
  CHECK(chance.forward->shares[1].percent() == 75.0);
  CHECK_FALSE(chance.forward->shares[0].chosen);
  CHECK(chosen.forward->decided_by == "header x-random");
  CHECK(chosen.forward->cluster == "api");
  CHECK(chosen.forward->shares[1].chosen);
}

TEST_CASE("A sticky split tells the arm of its user, and that of nobody is chance") {
  const Asked asked(listener("edge", 8080, "          http_filters:" + kRouter + R"(
          route_config:
            virtual_hosts:
            - name: v
              domains: ['*']
              routes:
              - match: {prefix: /}
                route:
                  inline_cluster_specifier_plugin:
                    extension:
                      name: s
                      typed_config:
                        '@type': type.googleapis.com/sluice.route.v1.StickySplit
                        rollout: r
                        keys: [{header: x-user}]
                        clusters: [{name: web, weight: 60}, {name: api, weight: 40}]
)"));

  for (int i = 0; i < 20; ++i) {
    const std::string user = "user-" + std::to_string(i);
    const Explanation out = asked.of("http://a/", {{"header", "x-user: " + user}});
    const bool second = route::StickySplit::pointOf("r", user) < UINT64_MAX / 100 * 40;
    CAPTURE(user);
    CHECK(out.forward->decided_by == "user");
    CHECK(out.forward->cluster == (second ? "api" : "web"));
  }
  CHECK(asked.of("http://a/").forward->decided_by == "chance");
}

TEST_CASE("Of very many hosts some are told") {
  std::string hosts;
  for (int i = 0; i < 1001; ++i) {
    hosts +=
        "{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: " + std::to_string(1000 + i) + "}}}}, ";
  }
  const Asked asked(listener("edge", 8080, "          http_filters:" + kRouter + kRoutes),
                    "  - {name: big, type: STATIC, load_assignment: {cluster_name: big, endpoints: [{lb_endpoints: [" +
                        hosts + "]}]}}\n");

  const Explanation out = asked.of("http://shop.example/gone", {{"header", "x-cluster: big"}});

  REQUIRE(out.clusters.size() == 1);
  CHECK(out.clusters[0].hosts.size() == 1000);
  CHECK_THAT(out.notes.at(0), Contains("of 1001 hosts of cluster 'big' 1000 are told"));
}

TEST_CASE("A cluster that is not there is noted") {
  const Explanation out = Asked().of("http://shop.example/gone", {{"header", "x-cluster: none"}});

  REQUIRE(out.notes.size() == 1);
  CHECK_THAT(out.notes[0], Contains("there is no cluster 'none'") && Contains("503"));
}

const std::string kRbac = R"(
          - name: guard
            typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC, rules: {}}
)";
const std::string kGuardedRoutes = R"(
          route_config:
            virtual_hosts:
            - name: v
              domains: ['*']
              routes:
              - name: open
                match: {prefix: /open}
                route: {cluster: web}
                typed_per_filter_config:
                  guard: {'@type': type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}
              - name: own
                match: {prefix: /own}
                route: {cluster: web}
                typed_per_filter_config:
                  guard: {'@type': type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute, rbac: {}}
              - {name: rest, match: {prefix: /}, route: {cluster: web}}
)";

TEST_CASE("Filters are as they are for the route") {
  const Asked asked(listener("edge", 8080, "          http_filters:" + kRbac + kRouter + kGuardedRoutes));

  const Explanation rest = asked.of("http://a/");
  const Explanation open = asked.of("http://a/open");
  const Explanation own = asked.of("http://a/own");

  REQUIRE(rest.filters.size() == 1);
  CHECK(rest.filters[0].type == "envoy.extensions.filters.http.rbac.v3.RBAC");
  CHECK(rest.filters[0].enabled);
  CHECK(rest.filters[0].access);
  CHECK(rest.filters[0].settings_of == "filter");
  CHECK_FALSE(open.filters[0].enabled);
  CHECK(open.filters[0].why == "disabled by the route 'open'");
  CHECK_THAT(open.filters[0].levels[0].place.path, Contains("routes[0].typed_per_filter_config"));
  CHECK(own.filters[0].enabled);
  CHECK(own.filters[0].settings_of == "route");
  CHECK_THAT(own.filters[0].settings, Contains("rbac"));
}

TEST_CASE("Settings are told in one order, whatever that of a map's entries") {
  const auto settings = [](const std::vector<std::string>& names) {
    std::string policies;
    for (const std::string& name : names) {
      policies += name + ": {permissions: [{any: true}], principals: [{any: true}]}, ";
    }
    const std::string rbac =
        "\n          - name: guard\n            typed_config: {'@type': "
        "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC, rules: {policies: {" +
        policies + "}}}\n";
    const Asked asked(listener("edge", 8080, "          http_filters:" + rbac + kRouter + kGuardedRoutes));
    return asked.of("http://a/").filters.at(0).settings;
  };
  const std::vector<std::string> names = {"pa", "pb", "pc", "pd", "pe", "pf", "pg", "ph"};

  const std::string there = settings(names), back = settings({names.rbegin(), names.rend()});

  CHECK(there == back);
  CHECK(there.find("\"pa\"") < there.find("\"ph\""));
}

TEST_CASE("A host header leaves the listener to the URL, and the environment is not told") {
  const std::string routes = R"(
          route_config:
            virtual_hosts:
            - name: v
              domains: [shop.example]
              request_headers_to_add: [{header: {key: x-home, value: 'at %ENVIRONMENT(HOME)%'}}]
              routes: [{match: {prefix: /}, route: {cluster: web}}]
)";
  const std::string manager = "          http_filters:" + kRouter + routes;
  const Asked asked(listener("one", 8080, manager) + listener("two", 8081, manager));

  const Explanation out = asked.of("http://127.0.0.1:8081/", {{"header", "host: shop.example"}});

  CHECK(out.listener.name == "two");
  REQUIRE(out.forward.has_value());
  REQUIRE(out.request_changes.size() == 1);
  CHECK(out.request_changes[0].value == "at %ENVIRONMENT(HOME)%");
}

TEST_CASE("Formats know the route and the cluster") {
  const std::string routes = R"(
          route_config:
            virtual_hosts:
            - name: v
              domains: ['*']
              request_headers_to_add: [{header: {key: x-way, value: '%ROUTE_NAME% to %UPSTREAM_CLUSTER%'}}]
              routes: [{name: home, match: {prefix: /}, route: {cluster: web}}]
)";
  const Asked asked(listener("edge", 8080, "          http_filters:" + kRouter + routes));

  CHECK(asked.of("http://a/").request_changes.at(0).value == "home to web");
}

TEST_CASE("A filter that turns programs away decides about access") {
  const std::string bots = R"(
          - name: bots
            typed_config: {'@type': type.googleapis.com/sluice.extensions.filters.http.bot_detection.v1.BotDetection, deny: [{contains: Bad}]}
)";
  const Asked asked(listener("edge", 8080, "          http_filters:" + bots + kRouter + kRoutes));

  CHECK(asked.of("http://shop.example/web").filters.at(0).access);
}

// A chain of that name with a network filter in front of what speaks HTTP.
std::string chain(const std::string& name, const std::string& match) {
  const std::string one = listener("", 0, "          http_filters:" + kRouter + kRoutes);
  const std::string http = one.substr(one.find("      - name: hcm"));
  return "    - name: " + name + "\n" + match + R"(      filters:
      - name: limit
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit
          stat_prefix: l
          max_connections: 5
)" + http;
}

TEST_CASE("The chain is the one that a connection of the request gets") {
  const std::string by_name = "      filter_chain_match: {server_names: [shop.example]}\n";
  const std::string plain = "      filter_chain_match: {transport_protocol: raw_buffer}\n";
  const std::string edge = R"(  - name: edge
    address: {socket_address: {address: 127.0.0.1, port_value: 8080}}
    listener_filters:
    - name: tls
      typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector}
    filter_chains:
)";
  const Asked asked(edge + chain("named", by_name) + chain("plain", plain));

  const Explanation named = asked.of("https://shop.example/api");
  const Explanation plainly = asked.of("http://shop.example/api");

  CHECK(named.chain.name == "named");
  CHECK(named.chain.why == std::vector<std::string>{"server name shop.example"});
  CHECK(named.request.scheme == "https");
  CHECK(named.route->name == "api");
  CHECK(plainly.chain.name == "plain");
  CHECK(plainly.chain.index == 1);
  CHECK(plainly.request.scheme == "http");
  CHECK_THAT(asked.problem({{"request", "https://shop.example/"}, {"sni", "other.example"}}),
             Contains("no filter chain of listener 'edge'") && Contains("other.example"));
}

TEST_CASE("Which listener is meant follows from the port, or is asked for") {
  const std::string manager = "          http_filters:" + kRouter + kRoutes;
  const Asked asked(listener("one", 8080, manager) + listener("two", 8081, manager));

  CHECK(asked.of("http://shop.example:8081/").listener.name == "two");
  CHECK(asked.of("http://shop.example/", {{"listener", "two"}}).listener.why == "it was asked for");
  CHECK(asked.of("http://shop.example/", {{"listener", "127.0.0.1:8080"}}).listener.name == "one");
  CHECK_THAT(asked.problem({{"request", "http://shop.example/"}}),
             Contains("choose one by its name") && Contains("'one' (127.0.0.1:8080)") && Contains("'two'"));
  CHECK_THAT(asked.problem({{"request", "http://a/"}, {"listener", "three"}}),
             Contains("no listener is named 'three'") && Contains("'one'"));
}

TEST_CASE("Routes of a control plane are not in the file") {
  const Asked asked(listener("edge", 8080, "          http_filters:" + kRouter + R"(
          rds: {route_config_name: far, config_source: {path_config_source: {path: /nowhere/routes.yaml}}}
)"));

  CHECK_THAT(asked.problem({{"request", "http://a/"}}), Contains("'far'") && Contains("not in the file"));
}

}  // namespace
}  // namespace sluice::ctl
