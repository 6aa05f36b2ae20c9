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

  CHECK(compiled.problems == "");
  REQUIRE(compiled.config);
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

  CHECK(compile(world, automatic + kTls + "}]").problems == "");
  CHECK_SAYS(compile(world, automatic + kRaw + "}]").problems,
             "transport_socket_matches[0].transport_socket: auto_config");
}

}  // namespace
}  // namespace sluice::extensions
