#include "source/config/cluster_compiler.h"

#include <catch2/catch.hpp>
#include <string>

#include "source/config/loader.h"

namespace sluice::config {
namespace {

using namespace std::chrono_literals;
using upstream::cluster::ClusterConfig;
using upstream::cluster::DiscoveryType;
using upstream::cluster::Health;
using upstream::cluster::LbPolicy;

struct Compiled {
  std::shared_ptr<const ClusterConfig> config;
  std::string errors;
  std::string warnings;
};

template <typename Message>
Message parse(const std::string& yaml) {
  ErrorList errors;
  Positions positions;
  Message message;
  Loader(errors, positions).loadText(yaml, Format::kYaml, "test", message);
  INFO(errors.toString());
  REQUIRE(errors.empty());
  return message;
}

std::string warningsOf(const ErrorList& errors) {
  std::string out;
  for (const ConfigError& warning : errors.warnings()) out += warning.toString() + "\n";
  return out;
}

Compiled compile(const std::string& yaml) {
  ErrorList errors;
  auto config = compileCluster(parse<envoy::config::cluster::v3::Cluster>(yaml), Context(errors));
  CHECK((config == nullptr) == !errors.empty());
  return {config, errors.toString(), warningsOf(errors)};
}

std::string withEndpoint(const std::string& address, const std::string& rest = "") {
  return "name: c\nload_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{endpoint: {address: {" + address +
         "}}}]}]}\n" + rest;
}

const std::string kPlain = withEndpoint("socket_address: {address: 127.0.0.1, port_value: 80}");

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  INFO(part);
  const bool found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

TEST_CASE("a static cluster gets Envoy's defaults") {
  const Compiled compiled = compile(kPlain);

  REQUIRE(compiled.config);
  const ClusterConfig& config = *compiled.config;
  CHECK(config.name == "c");
  CHECK(config.stat_name == "c");
  CHECK(config.discovery == DiscoveryType::kStatic);
  CHECK(config.connect_timeout == 5s);
  CHECK(config.per_connection_buffer_limit == 1024 * 1024);
  CHECK(config.lb.policy == LbPolicy::kRoundRobin);
  CHECK(config.lb.panic_threshold == 50);
  CHECK(config.thresholds[0].max_connections == 1024);
  CHECK(config.thresholds[1].max_retries == 3);
  CHECK(config.http.idle_timeout == 1h);
  CHECK(config.http.max_requests_per_connection == 0);
  CHECK(config.assignment.overprovisioning_factor == 140);
  REQUIRE(config.assignment.localities.size() == 1);
  CHECK(config.assignment.localities[0].endpoints[0].address.toString() == "127.0.0.1:80");
  CHECK(compiled.warnings.empty());
}

TEST_CASE("everything that a cluster can say is compiled") {
  const Compiled compiled = compile(R"(
name: "outbound|80||a"
alt_stat_name: "a:80"
type: STRICT_DNS
connect_timeout: 0.25s
per_connection_buffer_limit_bytes: 32768
lb_policy: LEAST_REQUEST
least_request_lb_config: {choice_count: 5}
common_lb_config: {healthy_panic_threshold: {value: 0}, locality_weighted_lb_config: {}}
circuit_breakers:
  thresholds:
  - {max_connections: 1, max_pending_requests: 2, max_requests: 3, max_retries: 4}
  - {priority: HIGH, max_requests: 0}
dns_refresh_rate: 60s
dns_jitter: 1s
dns_lookup_family: V4_ONLY
respect_dns_ttl: true
dns_failure_refresh_rate: {base_interval: 2s}
typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    common_http_protocol_options: {idle_timeout: 0s, max_headers_count: 7, max_requests_per_connection: 9}
    explicit_http_config: {http_protocol_options: {enable_trailers: true}}
load_assignment:
  cluster_name: "outbound|80||a"
  policy: {overprovisioning_factor: 100}
  endpoints:
  - locality: {region: r, zone: z, sub_zone: s}
    load_balancing_weight: 3
    priority: 1
    lb_endpoints:
    - endpoint: {hostname: h, address: {socket_address: {address: a.example.com, port_value: 8080}}}
      load_balancing_weight: 9
      health_status: DEGRADED
    - endpoint: {address: {socket_address: {address: "::1", port_value: 81}}}
    - endpoint: {address: {pipe: {path: /run/a.sock}}}
)");

  INFO(compiled.errors);
  REQUIRE(compiled.config);
  const ClusterConfig& config = *compiled.config;
  CHECK(config.stat_name == "a_80");
  CHECK(config.connect_timeout == 250ms);
  CHECK(config.per_connection_buffer_limit == 32768);
  CHECK(config.lb.policy == LbPolicy::kLeastRequest);
  CHECK(config.lb.choice_count == 5);
  CHECK(config.lb.panic_threshold == 0);
  CHECK(config.lb.locality_weighted);
  CHECK(config.thresholds[0] == upstream::cluster::Thresholds{1, 2, 3, 4});
  CHECK(config.thresholds[1] == upstream::cluster::Thresholds{1024, 1024, 0, 3});
  CHECK(config.dns.refresh_rate == 60s);
  CHECK(config.dns.jitter == 1s);
  CHECK(config.dns.lookup_family == net::DnsLookupFamily::kV4Only);
  CHECK(config.dns.respect_ttl);
  CHECK(config.dns.failure_base_interval == 2s);
  CHECK(config.dns.failure_max_interval == 20s);
  CHECK(config.http.idle_timeout == 0s);
  CHECK(config.http.max_headers_count == 7);
  CHECK(config.http.max_requests_per_connection == 9);
  CHECK(config.http.enable_trailers);
  CHECK(config.assignment.overprovisioning_factor == 100);
  const upstream::cluster::LocalityEndpoints& locality = config.assignment.localities.at(0);
  CHECK(locality.locality == upstream::cluster::Locality{"r", "z", "s"});
  CHECK(locality.weight == 3);
  CHECK(locality.priority == 1);
  REQUIRE(locality.endpoints.size() == 3);
  CHECK(locality.endpoints[0].dns_name == "a.example.com");
  CHECK(locality.endpoints[0].dns_port == 8080);
  CHECK(locality.endpoints[0].hostname == "h");
  CHECK(locality.endpoints[0].weight == 9);
  CHECK(locality.endpoints[0].health == Health::kDegraded);
  CHECK(locality.endpoints[1].address.toString() == "[::1]:81");
  CHECK(locality.endpoints[2].address.toString() == "/run/a.sock");
}

TEST_CASE("an EDS cluster subscribes by its service name or its own") {
  const std::string eds = "name: c\ntype: EDS\neds_cluster_config: {eds_config: {ads: {}}";

  CHECK(compile(eds + "}").config->eds_service_name == "c");
  CHECK(compile(eds + ", service_name: s}").config->eds_service_name == "s");
  contains(compile("name: c\ntype: EDS").errors, "eds_cluster_config: a cluster of type EDS needs eds_config");
  contains(compile("name: c\neds_cluster_config: {service_name: s}").errors, "only a cluster of type EDS");
}

TEST_CASE("a cluster may have its hosts from connections") {
  const std::string plain = "name: c\ntype: ORIGINAL_DST\nlb_policy: CLUSTER_PROVIDED\n";
  const auto config = compile(plain).config;
  REQUIRE(config);
  CHECK(config->discovery == DiscoveryType::kOriginalDst);
  CHECK(config->original_dst.header.empty());
  CHECK(config->original_dst.port_override == 0);
  CHECK(config->original_dst.cleanup_interval == 5s);
  const auto all = compile(plain +
                           "cleanup_interval: 0.5s\noriginal_dst_lb_config: {use_http_header: true, http_header_name: "
                           "X-To, upstream_port_override: 81}");
  CHECK(all.config->original_dst.header == "x-to");
  CHECK(all.config->original_dst.port_override == 81);
  CHECK(all.config->original_dst.cleanup_interval == 500ms);
  CHECK(compile(plain + "original_dst_lb_config: {use_http_header: true}").config->original_dst.header ==
        "x-envoy-original-dst-host");
}

TEST_CASE("what does not go with hosts from connections is refused") {
  const std::string plain = "name: c\ntype: ORIGINAL_DST\nlb_policy: CLUSTER_PROVIDED\n";
  contains(compile("name: c\ntype: ORIGINAL_DST").errors, "lb_policy: a cluster of type ORIGINAL_DST needs");
  contains(compile(plain + "load_assignment: {cluster_name: c}").errors, "load_assignment: a cluster of type");
  contains(compile(plain + "eds_cluster_config: {service_name: s}").errors, "only a cluster of type EDS");
  contains(compile(plain + "original_dst_lb_config: {http_header_name: a}").errors,
           "http_header_name: is not looked at");
  contains(compile(plain + "original_dst_lb_config: {use_http_header: true, http_header_name: ':path'}").errors,
           "http_header_name: of the pseudo headers only");
  contains(compile(plain + "original_dst_lb_config: {upstream_port_override: 0}").errors, "upstream_port_override: ");
  contains(compile(kPlain + "lb_policy: CLUSTER_PROVIDED").errors, "lb_policy: CLUSTER_PROVIDED goes with type");
  contains(compile(kPlain + "original_dst_lb_config: {}").errors, "original_dst_lb_config: only a cluster of type");
}

TEST_CASE("what is not supported is refused by field path") {
  contains(compile("name: c\ntype: LOGICAL_DNS").errors, "type: LOGICAL_DNS is not supported yet");
  contains(compile(kPlain + "lb_policy: MAGLEV").errors, "lb_policy: MAGLEV is not supported yet");
  contains(compile(kPlain + "common_http_protocol_options: {max_stream_duration: 1s}").errors,
           "common_http_protocol_options.max_stream_duration: not supported");
}

TEST_CASE("a bad endpoint is refused by field path") {
  const std::string path = "load_assignment.endpoints[0].lb_endpoints[0]";

  contains(compile(withEndpoint("socket_address: {address: a.test, port_value: 80}")).errors,
           path + ".endpoint.address.socket_address.address: 'a.test' is not an IP address");
  contains(compile(withEndpoint("socket_address: {address: 127.0.0.1, port_value: 0}")).errors,
           path + ".endpoint.address.socket_address.port_value: an upstream host needs a port");
  contains(compile(withEndpoint("pipe: {path: " + std::string(120, 'a') + "}")).errors,
           path + ".endpoint.address.pipe.path: the path of a Unix socket has 120 bytes");
  contains(compile(withEndpoint("socket_address: {address: 'a b', port_value: 80}", "type: STRICT_DNS")).errors,
           "'a b' is neither an IP address nor a host name");
  contains(compile("name: c\nload_assignment: {endpoints: [{lb_endpoints: [{}]}]}").errors,
           path + ": an lb_endpoint needs its endpoint");
}

TEST_CASE("weights must fit") {
  const std::string endpoint = "{endpoint: {address: {pipe: {path: /a}}}, load_balancing_weight: ";
  const std::string begin = "name: c\nload_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [";

  contains(compile(begin + endpoint + "0}]}]}").errors, "load_balancing_weight: a weight must be 1 or more");
  contains(compile(begin + endpoint + "4294967295}, " + endpoint + "1}]}]}").errors,
           "load_assignment.endpoints[0]: the weights of one locality's endpoints sum to 4294967296");
  CHECK(compile(begin + endpoint + "4294967294}, " + endpoint + "1}]}]}").config);
  contains(compile("name: c\nload_assignment: {cluster_name: c, endpoints: [{load_balancing_weight: 4294967295}, "
                   "{load_balancing_weight: 1}]}")
               .errors,
           "load_assignment.endpoints[1].load_balancing_weight: the weights of the localities of priority 0");
}

TEST_CASE("HTTP protocol options are refused when they cannot be honoured") {
  const std::string key = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  auto typed = [&](const std::string& map_key, const std::string& type, const std::string& body) {
    return compile(kPlain + "typed_extension_protocol_options: {" + map_key + ": {\"@type\": type.googleapis.com/" +
                   type + ", " + body + "}}");
  };

  contains(typed("other", key, "explicit_http_config: {http_protocol_options: {}}").errors, "only the key");
  contains(typed(key, "envoy.config.core.v3.Http1ProtocolOptions", "enable_trailers: true").errors, "the type must be");
  contains(typed(key, key, "explicit_http_config: {}").errors, "say which protocol");
  const Compiled http2 = typed(key, key, "explicit_http_config: {http2_protocol_options: {}}");
  REQUIRE(http2.config);
  CHECK(http2.config->http.protocol == upstream::cluster::UpstreamProtocol::kHttp2);
  CHECK(compile(kPlain + "http2_protocol_options: {connection_keepalive: {interval: 30s, timeout: 5s}}")
            .config->http.http2_keepalive_interval == 30s);
  contains(compile(kPlain + "http2_protocol_options: {}\nhttp_protocol_options: {}").errors, "not both");

  const Compiled resets = compile(kPlain + "http2_protocol_options: {stream_reset_burst: 7, stream_reset_rate: 3}");
  CHECK(resets.config->http.http2.stream_reset_burst == 7);
  CHECK(resets.config->http.http2.stream_reset_rate == 3);

  const Compiled streams = typed(key, key,
                                 "explicit_http_config: {http2_protocol_options: {max_concurrent_streams: 7}}, "
                                 "common_http_protocol_options: {max_connection_duration: 9s}");
  REQUIRE(streams.config);
  CHECK(streams.config->http.max_concurrent_streams == 7);
  CHECK(streams.config->http.max_connection_duration == 9s);
  const Compiled same =
      typed(key, key, "use_downstream_protocol_config: {http_protocol_options: {enable_trailers: true}}");
  REQUIRE(same.config);
  CHECK(same.config->http.protocol == upstream::cluster::UpstreamProtocol::kDownstream);
  CHECK(same.config->http.enable_trailers);
  contains(typed(key, key, "auto_config: {}").errors, "transport_socket: auto_config lets the upstream choose by ALPN");
}

TEST_CASE("what has no effect is warned about") {
  contains(compile("name: c").warnings, "load_assignment: the cluster has no endpoints");
  contains(compile("name: c\nload_assignment: {cluster_name: d}").warnings, "'d' is not the cluster's name 'c'");
  contains(compile(kPlain + "least_request_lb_config: {}").warnings, "lb_policy is not LEAST_REQUEST");
  contains(compile(kPlain + "circuit_breakers: {thresholds: [{}, {max_requests: 1}]}").warnings,
           "circuit_breakers.thresholds[1]: not used");
}

TEST_CASE("values out of range are refused") {
  contains(compile(kPlain + "connect_timeout: 0s").errors, "connect_timeout: ");
  contains(compile(kPlain + "least_request_lb_config: {choice_count: 1}\nlb_policy: LEAST_REQUEST").errors,
           "least_request_lb_config.choice_count: ");
  contains(compile(kPlain + "least_request_lb_config: {choice_count: 4000000000}\nlb_policy: LEAST_REQUEST").errors,
           "least_request_lb_config.choice_count: ");
  contains(compile(kPlain + "dns_failure_refresh_rate: {base_interval: 5s, max_interval: 4s}").errors,
           "dns_failure_refresh_rate: max_interval must not be shorter");
  contains(compile(kPlain + "dns_refresh_rate: 0.001s").errors, "dns_refresh_rate: ");
}

TEST_CASE("an enormous duration is cut to ten years") {
  CHECK(compile(kPlain + "connect_timeout: 315000000000s").config->connect_timeout == 24h * 3650);
}

TEST_CASE("metadata of a cluster and of its endpoints is kept for formatters") {
  const auto compiled = compile(
      "name: c\nmetadata: {filter_metadata: {f: {z: 1, a: [x]}}}\n"
      "load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{metadata: {filter_metadata: {g: {k: v}}}, "
      "endpoint: {address: {socket_address: {address: 10.0.0.1, port_value: 80}}}}]}]}\n");

  REQUIRE(compiled.config);
  REQUIRE(compiled.config->metadata);
  const auto& fields = std::get<stream::MetadataFields>(compiled.config->metadata.fields()->at(0).value.value);
  CHECK(fields.at(0).name == "a");
  CHECK(fields.at(1).name == "z");
  const stream::FixedMetadata& host = compiled.config->assignment.localities[0].endpoints[0].metadata;
  REQUIRE(host);
  CHECK(std::get<std::string>(stream::findMetadata(*host.fields(), "g", {"k"})->value) == "v");
  CHECK_FALSE(compile(kPlain).config->metadata);
}

TEST_CASE("equal clusters have equal hashes and any change another one") {
  const auto a = compile(kPlain).config;

  CHECK(a->content_hash == compile(kPlain).config->content_hash);
  CHECK(a->content_hash != compile(kPlain + "connect_timeout: 1s").config->content_hash);
}

TEST_CASE("an EDS answer is compiled, and refused under another name or with a host name") {
  const std::string body = ", endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: ";
  const std::string end = ", port_value: 80}}}, health_status: DRAINING}]}]}";
  ErrorList errors;
  auto eds = [&](const std::string& name, const std::string& address) {
    const auto proto =
        parse<envoy::config::endpoint::v3::ClusterLoadAssignment>("{cluster_name: " + name + body + address + end);
    return compileEdsAssignment(proto, "s", Context(errors));
  };

  const auto good = eds("s", "10.0.0.1");
  REQUIRE(good);
  CHECK(good->localities[0].endpoints[0].health == Health::kDraining);
  CHECK_FALSE(eds("t", "10.0.0.1"));
  contains(errors.toString(), "cluster_name: 't' is not the name that was asked for, 's'");
  CHECK_FALSE(eds("s", "a.test"));
}

}  // namespace
}  // namespace sluice::config
