// What a filter cannot do is an error that says so.
#include "envoy/config/listener/v3/listener_components.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "source/config/connection_filter_factory.h"
#include "source/config/filter_routes.h"
#include "source/config/http_filter_factory.h"
#include "source/config/network_filter_factory.h"
#include "source/extensions/test_all.h"

namespace sluice::extensions {
namespace {

using envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;

// What is wrong with an HTTP filter of this type with these fields, one a line.
std::string problems(const std::string& type, const std::string& fields) {
  World world;
  world.services.cluster_exists = [](std::string_view name) { return name == "authz"; };
  HttpFilter proto;
  if (!world.load("{name: f, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http." + type + ", " +
                      fields + "}}",
                  proto)) {
    return world.problems();
  }
  const config::Context at = world.at.child("typed_config");
  const auto match = world.registry.http_filters.resolve(proto.typed_config(), at);
  if (match) match.factory->compile(*match.config, config::Holding(world.services).context(at));
  return world.problems();
}

std::string routeProblems(const std::string& type, const std::string& fields) {
  World world;
  envoy::config::route::v3::RouteConfiguration proto;
  const std::string text =
      "{name: r, virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, redirect: {}}], "
      "typed_per_filter_config: {f: {'@type': type.googleapis.com/envoy.extensions.filters.http." +
      type + ", " + fields + "}}}]}";
  if (world.load(text, proto)) config::compileRoutes(proto, world.at, world.services, nullptr);
  return world.problems();
}

// The same of one entry of a chain's filters, whichever kind of network filter it is.
std::string networkProblems(const std::string& type, const std::string& fields) {
  World world;
  envoy::config::listener::v3::Filter proto;
  if (!world.load("{name: f, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network." + type +
                      ", " + fields + "}}",
                  proto)) {
    return world.problems();
  }
  const config::Context at = world.at.child("typed_config");
  const auto message = config::unpackAny(proto.typed_config(), at);
  if (!message) return world.problems();
  const std::string& name = message->GetDescriptor()->full_name();
  if (const auto* gate = world.registry.connection_filters.find(name)) {
    gate->compile(*message, config::Holding(world.services).context(at));
  } else if (const auto* terminal = world.registry.network_filters.find(name)) {
    terminal->compile(*message, config::Holding(world.services).context(at));
  } else {
    return name + " configures no network filter";
  }
  return world.problems();
}

TEST_CASE("network filters refuse what they cannot do") {
  CHECK_SAYS(networkProblems("tcp_proxy.v3.TcpProxy", "stat_prefix: a, cluster: ''"), "cluster: no name");
  CHECK_SAYS(networkProblems("tcp_proxy.v3.TcpProxy", "stat_prefix: a"), "cluster_specifier");
  CHECK_SAYS(
      networkProblems("tcp_proxy.v3.TcpProxy", "stat_prefix: a, weighted_clusters: {clusters: [{name: a, weight: 0}]}"),
      "weight");
  CHECK_SAYS(networkProblems("connection_limit.v3.ConnectionLimit", "stat_prefix: a"), "max_connections: is not set");
  CHECK_SAYS(networkProblems("local_ratelimit.v3.LocalRateLimit",
                             "stat_prefix: a, token_bucket: {max_tokens: 1, fill_interval: 0.01s}"),
             "fill_interval: is less than 50 ms");
  const std::string kRbac = "rbac.v3.RBAC";
  const auto policy = [](const std::string& permission) {
    return "stat_prefix: a, rules: {policies: {p: {permissions: [" + permission + "], principals: [{any: true}]}}}";
  };
  CHECK(networkProblems(kRbac, policy("{any: true}")) == "");
  CHECK_SAYS(networkProblems(kRbac, policy("{destination_port_range: {start: 5, end: 5}}")), "is no range of ports");
  CHECK_SAYS(networkProblems(kRbac, policy("{destination_ip: {address_prefix: host, prefix_len: 8}}")),
             "permissions[0].destination_ip");
  CHECK_SAYS(networkProblems(kRbac, policy("{metadata: {filter: a}}")), "metadata");
}

const std::string kBuffer = "buffer.v3.Buffer";
const std::string kLimit = "local_ratelimit.v3.LocalRateLimit";
const std::string kAuthz = "ext_authz.v3.ExtAuthz";
const std::string kService = "http_service: {server_uri: {uri: 'http://a', cluster: authz, timeout: 1s}}";

TEST_CASE("a buffer needs a size") {
  CHECK_SAYS(problems(kBuffer, "max_request_bytes: 0"), "max_request_bytes");
  CHECK_SAYS(routeProblems("buffer.v3.BufferPerRoute", "disabled: false"), "disabled");
  CHECK(routeProblems("buffer.v3.BufferPerRoute", "buffer: {max_request_bytes: 1}") == "");
}

TEST_CASE("a rate limit refuses what it cannot keep") {
  CHECK_SAYS(problems(kLimit, "stat_prefix: a, token_bucket: {max_tokens: 1, fill_interval: 0.049s}"),
             "token_bucket.fill_interval: is less than 50 ms");
  CHECK_SAYS(
      problems(kLimit, "stat_prefix: a, request_headers_to_add_when_not_enforced: [{header: {key: host, value: a}}]"),
      "request_headers_to_add_when_not_enforced[0]");
  CHECK_SAYS(routeProblems(kLimit, "stat_prefix: a"), "token_bucket: is needed");
  CHECK(routeProblems(kLimit, "stat_prefix: a, token_bucket: {max_tokens: 1, fill_interval: 1s}") == "");
}

TEST_CASE("gRPC filters refuse what they cannot do") {
  CHECK(problems("grpc_stats.v3.FilterConfig", "stats_for_all_methods: true") == "");
  const std::string proc = "ext_proc.v3.ExternalProcessor";
  const std::string service = "grpc_service: {envoy_grpc: {cluster_name: authz}}";
  CHECK(problems(proc, service) == "");
  CHECK_SAYS(problems(proc, "failure_mode_allow: true"), "has no grpc_service");
  CHECK_SAYS(problems(proc, service + ", processing_mode: {request_body_mode: FULL_DUPLEX_STREAMED}"),
             "processing_mode.request_body_mode: is not supported yet");
  CHECK_SAYS(problems(proc, service + ", observability_mode: true"), "observability_mode");
  CHECK_SAYS(problems(proc, service + ", mutation_rules: {allow_expression: {regex: '('}}"), "allow_expression");
  CHECK(routeProblems("ext_proc.v3.ExtProcPerRoute", "disabled: true") == "");
  CHECK(problems(proc, service + ", request_attributes: [request.path], response_attributes: [response.code]") == "");
  CHECK_SAYS(problems(proc, service + ", request_attributes: [request.path, request.nothing]"),
             "request_attributes[1]");
  CHECK_SAYS(routeProblems("ext_proc.v3.ExtProcPerRoute", "overrides: {request_attributes: ['(']}"),
             "overrides.request_attributes[0]");
  const std::string limit = "ratelimit.v3.RateLimit";
  const std::string limits = "domain: a, rate_limit_service: {" + service + "}";
  CHECK(problems(limit, limits) == "");
  CHECK_SAYS(problems(limit, "domain: a"), "rate_limit_service");
  CHECK_SAYS(problems(limit, limits + ", rate_limits: [{actions: [{}]}]"), "rate_limits[0].actions[0]");
  CHECK(routeProblems("ratelimit.v3.RateLimitPerRoute",
                      "vh_rate_limits: INCLUDE, rate_limits: [{actions: [{remote_address: {}}]}]") == "");
}

TEST_CASE("external authorization refuses what it cannot do") {
  CHECK(problems(kAuthz, kService) == "");
  CHECK_SAYS(problems(kAuthz, "failure_mode_allow: true"), "has neither grpc_service nor http_service");
  CHECK_SAYS(problems(kAuthz, "grpc_service: {}"), "grpc_service");
  CHECK(problems(kAuthz, "grpc_service: {envoy_grpc: {cluster_name: authz}}") == "");
  CHECK_SAYS(problems(kAuthz, "grpc_service: {envoy_grpc: {cluster_name: b}}"), "no cluster is called 'b'");
  CHECK_SAYS(problems(kAuthz, "grpc_service: {google_grpc: {target_uri: a}}"), "google_grpc");
  CHECK_SAYS(problems(kAuthz, "grpc_service: {envoy_grpc: {cluster_name: authz}, initial_metadata: [{key: grpc-x}]}"),
             "is reserved");
  CHECK(problems(kAuthz, "clear_route_cache: true, " + kService) == "");
  CHECK_SAYS(problems(kAuthz, "transport_api_version: V2, " + kService), "transport_api_version: V2 is gone");
  CHECK_SAYS(problems(kAuthz, "http_service: {path_prefix: /a}"), "http_service: has no server_uri");
  CHECK_SAYS(problems(kAuthz, "http_service: {server_uri: {uri: 'http://a', cluster: b, timeout: 1s}}"),
             "http_service.server_uri.cluster: no cluster is called 'b'");
  CHECK_SAYS(problems(kAuthz, "http_service: {server_uri: {uri: 'https://a', cluster: authz, timeout: 1s}}"),
             "https is not supported yet");
  CHECK_SAYS(problems(kAuthz,
                      "http_service: {path_prefix: check, server_uri: {uri: 'http://a', cluster: authz, timeout: 1s}}"),
             "path_prefix: does not begin with '/'");
  CHECK_SAYS(
      problems(kAuthz,
               "allowed_headers: {patterns: [{exact: a}]}, http_service: {server_uri: {uri: 'http://a', "
               "cluster: authz, timeout: 1s}, authorization_request: {allowed_headers: {patterns: [{exact: b}]}}}"),
      "keep that one");
  CHECK(
      problems(kAuthz, kService +
                           ", filter_enabled: {default_value: {numerator: 5}}, deny_at_disable: {default_value: true}, "
                           "filter_enabled_metadata: {filter: a, path: [{key: b}], value: {bool_match: true}}") == "");
  CHECK_SAYS(problems(kAuthz, kService + ", filter_enabled_metadata: {filter: a, path: [{key: b}]}"),
             "filter_enabled_metadata.value");
  const std::string route = "ext_authz.v3.ExtAuthzPerRoute";
  CHECK_SAYS(routeProblems(route,
                           "check_settings: {disable_request_body_buffering: true, "
                           "with_request_body: {max_request_bytes: 1}}"),
             "keep one");
  CHECK(routeProblems(route, "disabled: true") == "");
}

}  // namespace
}  // namespace sluice::extensions
