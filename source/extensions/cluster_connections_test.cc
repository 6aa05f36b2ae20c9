// How the connections of a cluster are made, as configured.
#include <string>

#include "source/config/cluster_compiler.h"
#include "source/config/loader.h"
#include "source/config/validate.h"
#include "source/extensions/test_all.h"

namespace sluice::extensions {
namespace {

using config::Context;
using config::ErrorList;
using config::Format;
using config::Loader;
using config::Positions;
using upstream::cluster::ClusterConfig;

struct Compiled {
  std::shared_ptr<const ClusterConfig> config;
  std::string problems;  // warnings too
};

// A static cluster "c" with this beside its endpoint.
Compiled compile(World& world, const std::string& rest) {
  ErrorList errors;
  Positions positions;
  envoy::config::cluster::v3::Cluster message;
  Loader(errors, positions)
      .loadText(
          "name: c\nload_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{endpoint: {address: "
          "{socket_address: {address: 127.0.0.1, port_value: 80}}}}]}]}\n" +
              rest,
          Format::kYaml, "test", message);
  Compiled out;
  if (errors.empty()) config::validate(message, Context(errors));
  if (errors.empty()) out.config = compileCluster(message, Context(errors), world.services);
  out.problems = errors.toString();
  for (const config::ConfigError& warning : errors.warnings()) out.problems += warning.toString() + "\n";
  return out;
}

stream::FixedMetadata chooses(const std::string& value) {
  return {
      {{std::string(upstream::cluster::kTransportMetadata), {stream::MetadataFields{{"kind", {std::string(value)}}}}}},
      value};
}

const std::string kTls =
    "{name: tls, typed_config: {\"@type\": "
    "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext}}";
const std::string kRaw =
    "{name: raw, typed_config: {\"@type\": "
    "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}";

TEST_CASE("transport sockets are chosen by the metadata of hosts") {
  World world;
  const Compiled compiled =
      compile(world, "transport_socket: " + kRaw +
                         "\ntransport_socket_matches:\n"
                         "- {name: secure, match: {kind: tls}, transport_socket: " +
                         kTls + "}\n- {name: plain, match: {kind: raw}, transport_socket: " + kRaw + "}\n");

  REQUIRE(compiled.config);  // a client without authorities is warned of
  const net::TransportFactory* const secure = compiled.config->transportOf(chooses("tls"));
  REQUIRE(secure != nullptr);
  CHECK(secure->isTls());
  CHECK(compiled.config->transportOf(chooses("raw")) == nullptr);
  CHECK(compiled.config->transportOf({}) == nullptr);
  CHECK(world.stats.valueOf("cluster.c.transport_socket_match.secure.total_match_count") == 0);
  CHECK(world.stats.valueOf("cluster.c.transport_socket_match.default.total_match_count") == 0);
}

TEST_CASE("a match of transport sockets says what it is") {
  World world;
  CHECK_SAYS(compile(world, "transport_socket_matches: [{match: {a: b}, transport_socket: " + kRaw + "}]").problems,
             "transport_socket_matches[0].name");
  CHECK_SAYS(compile(world, "transport_socket_matches: [{name: a, match: {a: b}}]").problems,
             "transport_socket_matches[0].transport_socket: a match needs its transport socket");
}

TEST_CASE("where ALPN chooses the protocol every transport socket is TLS") {
  World world;
  const std::string automatic =
      "typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {\"@type\": "
      "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, auto_config: {}}}\n"
      "transport_socket: " +
      kTls + "\ntransport_socket_matches: [{name: a, match: {a: b}, transport_socket: ";

  CHECK(compile(world, automatic + kTls + "}]").config);
  CHECK_SAYS(compile(world, automatic + kRaw + "}]").problems,
             "transport_socket_matches[0].transport_socket: auto_config");
}

TEST_CASE("connections say that they are alive as often as the cluster wants") {
  World world;
  const Compiled compiled = compile(
      world,
      "upstream_connection_options: {tcp_keepalive: {keepalive_probes: 3, keepalive_time: 7, keepalive_interval: 5}}");

  CHECK(compiled.problems == "");
  REQUIRE(compiled.config);
  CHECK(compiled.config->connect.keepalive.size() == 8);  // on, and three numbers; for both families
  CHECK(compiled.config->connect.sources.empty());
}

TEST_CASE("what the kernel would refuse for every connection is refused at once") {
  World world;
  const auto problems = [&world](const std::string& keepalive) {
    return compile(world, "upstream_connection_options: {tcp_keepalive: {" + keepalive + "}}").problems;
  };

  CHECK_SAYS(problems("keepalive_time: 0"),
             "upstream_connection_options.tcp_keepalive.keepalive_time: the kernel takes 1 to 32767, not 0");
  CHECK_SAYS(problems("keepalive_probes: 128"), "keepalive_probes: the kernel takes 1 to 127, not 128");
  CHECK_SAYS(problems("keepalive_interval: 32768"), "keepalive_interval");
}

TEST_CASE("connections come from the addresses that the cluster says, with their options") {
  World world;
  const Compiled compiled = compile(world, R"(
upstream_bind_config:
  source_address: {address: 127.0.0.9, port_value: 0}
  freebind: true
  socket_options: [{description: mark, level: 1, name: 36, int_value: 7}]
  extra_source_addresses:
  - address: {address: "::1", port_value: 0}
    socket_options: {socket_options: []}
)");

  CHECK(compiled.problems == "");
  REQUIRE(compiled.config);
  const net::ConnectOptions& connect = compiled.config->connect;
  REQUIRE(connect.sources.size() == 2);
  CHECK(connect.sources[0].address.toString() == "127.0.0.9:0");
  CHECK(connect.sources[0].options.size() == 3);  // freebind of either family, and the mark
  CHECK(connect.sources[1].address.toString() == "[::1]:0");
  CHECK(connect.sources[1].options.size() == 2);
}

TEST_CASE("a cluster without a bind config of its own has the bootstrap's") {
  World world;
  auto common = std::make_shared<net::ConnectOptions>();
  common->sources.push_back({*net::Address::fromIp("127.0.0.8", 0)});
  world.services.upstream_bind = common;

  REQUIRE(compile(world, "").config);
  CHECK(compile(world, "").config->connect.sources.size() == 1);
  CHECK(compile(world, "upstream_bind_config: {}").config->connect.sources.empty());
}

TEST_CASE("source addresses that cannot be are refused") {
  World world;
  const auto problems = [&world](const std::string& bind) {
    return compile(world, "upstream_bind_config: {" + bind + "}").problems;
  };

  CHECK_SAYS(problems("source_address: {address: a.example, port_value: 0}"),
             "upstream_bind_config.source_address.address: 'a.example' is not an IP address");
  CHECK_SAYS(problems("source_address: {address: 127.0.0.2, port_value: 0}, additional_source_addresses: "
                      "[{address: 127.0.0.3, port_value: 0}]"),
             "additional_source_addresses[0].address: there is a source address of this family, 127.0.0.2:0");
  CHECK_SAYS(problems("extra_source_addresses: [{address: {address: 127.0.0.3, port_value: 0}}]"),
             "extra_source_addresses[0].address: goes beside a source_address");
  CHECK_SAYS(problems("source_address: {address: 127.0.0.2, port_value: 81}"), "only one connection to a host");
  CHECK_SAYS(problems("socket_options: [{level: 1, name: 36, int_value: 7, state: STATE_LISTENING}]"),
             "socket_options[0].state: a socket that connects never listens");
  CHECK_SAYS(problems("local_address_selector: {}"), "local_address_selector: is a field of Envoy's BindConfig");
}

TEST_CASE("hosts may have a limit of connections of their own") {
  World world;
  const Compiled compiled = compile(
      world, "circuit_breakers: {thresholds: [{track_remaining: true}], per_host_thresholds: [{max_connections: 7}]}");

  CHECK(compiled.problems == "");
  REQUIRE(compiled.config);
  CHECK(compiled.config->host_connections[0] == 7);
  CHECK(compiled.config->host_connections[1] == upstream::cluster::kNoHostLimit);
  CHECK(compiled.config->thresholds[0].track_remaining);
  CHECK_FALSE(compiled.config->thresholds[1].track_remaining);
}

TEST_CASE("a host has no other limits") {
  World world;

  CHECK_SAYS(compile(world, "circuit_breakers: {per_host_thresholds: [{max_requests: 7}]}").problems,
             "circuit_breakers.per_host_thresholds[0]: a host has a limit of connections only");
  CHECK_SAYS(
      compile(world, "circuit_breakers: {per_host_thresholds: [{max_connections: 7}, {max_connections: 8}]}").problems,
      "circuit_breakers.per_host_thresholds[1]: not used");
}

TEST_CASE("a host may get connections ahead of its requests, up to three times as many") {
  World world;

  REQUIRE(compile(world, "").config);
  CHECK(compile(world, "").config->preconnect_ratio == 1);
  CHECK(compile(world, "preconnect_policy: {per_upstream_preconnect_ratio: 1.5}").config->preconnect_ratio == 1.5);
  CHECK_SAYS(compile(world, "preconnect_policy: {per_upstream_preconnect_ratio: 3.5}").problems,
             "preconnect_policy.per_upstream_preconnect_ratio");
}

TEST_CASE("hosts that are next may get connections ahead, where choices are made ahead") {
  World world;
  const std::string predictive = "preconnect_policy: {predictive_preconnect_ratio: 1.5}\n";
  const auto ratio = [&](const std::string& rest) {
    const Compiled compiled = compile(world, predictive + rest);
    return compiled.config ? compiled.config->predictive_ratio : 0;
  };

  CHECK(compile(world, "").config->predictive_ratio == 1);
  CHECK(ratio("") == 1.5);
  CHECK(compile(world, predictive).problems.empty());
  CHECK(ratio("lb_policy: RANDOM") == 1.5);
  for (const char* policy : {"LEAST_REQUEST", "RING_HASH", "MAGLEV"}) {
    CHECK(ratio(std::string("lb_policy: ") + policy) == 1);
    CHECK_SAYS(compile(world, predictive + "lb_policy: " + policy).problems,
               "preconnect_policy.predictive_preconnect_ratio: not used: the load-balancing policy makes no choices");
  }
  const std::string downstream =
      "typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {\"@type\": "
      "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, use_downstream_protocol_config: "
      "{}}}";
  CHECK(ratio(downstream) == 1);
  CHECK_SAYS(compile(world, predictive + downstream).problems, "connections of this cluster depend on requests");
  CHECK_SAYS(compile(world, "preconnect_policy: {predictive_preconnect_ratio: 0.5}").problems,
             "preconnect_policy.predictive_preconnect_ratio");
}

}  // namespace
}  // namespace sluice::extensions
