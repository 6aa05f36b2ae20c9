#include "source/server/bootstrap.h"

#include <catch2/catch.hpp>

#include "source/extensions/all.h"

namespace sluice::server {
namespace {

struct Loaded {
  explicit Loaded(std::string yaml, const std::function<void(Options&)>& change = {}) {
    Options options;
    options.config_yaml = std::move(yaml);
    if (change) change(options);
    extensions::registerAll(registry);
    ok = loadBootstrap(options, proto, errors, positions) &&
         compileBootstrap(proto, config::Context(errors, &positions), services, compiled);
  }
  bool says(std::string_view text) const {
    const std::string all = errors.toString();
    if (all.find(text) != std::string::npos) return true;
    UNSCOPED_INFO(all);
    return false;
  }

  config::ErrorList errors;
  config::Positions positions;
  BootstrapProto proto;
  config::Registry registry;
  observability::StatsRegistry stats;
  route::ClusterNames names;
  route::FilterSlots slots;
  config::AnyRoutes routes;
  config::Services services{registry, stats, nullptr, names, slots, routes, config::Defaults::kEdge, {}};
  CompiledBootstrap compiled;
  bool ok = false;
};

std::string cluster(const std::string& name) {
  return "  - {name: " + name + ", type: STATIC, connect_timeout: 1s, load_assignment: {cluster_name: " + name +
         ", endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 1}}}}]}]"
         "}}\n";
}
std::string listener(const std::string& name, int port, const std::string& to) {
  return "  - name: " + name +
         "\n    address: {socket_address: {address: 127.0.0.1, port_value: " + std::to_string(port) +
         "}}\n"
         "    filter_chains:\n"
         "    - filters:\n"
         "      - name: hcm\n"
         "        typed_config:\n"
         "          '@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
         "HttpConnectionManager\n"
         "          stat_prefix: a\n"
         "          route_config: {virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, route: "
         "{cluster: " +
         to +
         "}}]}]}\n"
         "          http_filters:\n"
         "          - name: router\n"
         "            typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}\n";
}

TEST_CASE("a whole bootstrap compiles") {
  const Loaded t("static_resources:\n  clusters:\n" + cluster("c") + "  listeners:\n" + listener("l", 10000, "c"));
  INFO(t.errors.toString());
  REQUIRE(t.ok);
  CHECK(t.compiled.clusters.size() == 1);
  REQUIRE(t.compiled.listeners.size() == 1);
  CHECK(t.compiled.listeners[0].compiled.addresses.at(0).toString() == "127.0.0.1:10000");
  CHECK_FALSE(t.compiled.settings->admin_address);
}

const std::string kAdmin = "admin:\n  address: {socket_address: {address: 127.0.0.1, port_value: 0}}\n";

TEST_CASE("the admin's access logs are compiled, a format of theirs that is wrong is refused") {
  CHECK(Loaded(kAdmin + "  access_log_path: /dev/null\n").ok);
  const Loaded bad(kAdmin +
                   "  access_log:\n  - name: f\n    typed_config:\n"
                   "      '@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog\n"
                   "      path: /dev/null\n      log_format: {text_format_source: {inline_string: '%NOPE%'}}\n");
  CHECK_FALSE(bad.ok);
  CHECK(bad.says("admin.access_log[0].typed_config"));
}

TEST_CASE("an HTTP filter of a type that is not known is left out if it is optional") {
  std::string text = listener("l", 10000, "c");
  const std::string before = "          - name: router\n";
  const auto optional = [](const std::string& type) {
    return "          - name: meter\n            is_optional: true\n            typed_config: {'@type': "
           "type.googleapis.com/" +
           type + "}\n";
  };
  const std::string with_kill_request = std::string(text).insert(
      text.find(before), optional("envoy.extensions.filters.http.kill_request.v3.KillRequest"));
  text.insert(text.find(before), optional("acme.filters.Meter"));
  const Loaded t("static_resources:\n  clusters:\n" + cluster("c") + "  listeners:\n" + text);
  INFO(t.errors.toString());
  CHECK(t.ok);
  REQUIRE(t.errors.warnings().size() == 1);
  CHECK(t.errors.warnings()[0].toString().find("filter 'meter' is left out") != std::string::npos);

  const Loaded known("static_resources:\n  clusters:\n" + cluster("c") + "  listeners:\n" + with_kill_request);
  CHECK_FALSE(known.ok);  // who wrote it counts on what Envoy does
  CHECK(known.says("KillRequest is Envoy's but not supported here yet"));

  text.replace(text.find("is_optional: true"), 17, "disabled: false");
  CHECK_FALSE(Loaded("static_resources:\n  clusters:\n" + cluster("c") + "  listeners:\n" + text).ok);
}

TEST_CASE("a source that is the resource's own server is refused in the bootstrap, which came from none") {
  const Loaded t(
      "static_resources:\n  clusters:\n  - {name: c, type: EDS, eds_cluster_config: {eds_config: {self: {}}}}\n");
  CHECK_FALSE(t.ok);
  CHECK(t.says("clusters[0].eds_cluster_config.eds_config.self: is the server that"));
}

TEST_CASE("a TLV of an upstream PROXY header needs a value") {
  const auto with = [](const std::string& tlv) {
    std::string text = cluster("c");
    text.insert(
        text.find("load_assignment"),
        "transport_socket: {name: p, typed_config: {'@type': type.googleapis.com/envoy.extensions.transport_sockets."
        "proxy_protocol.v3.ProxyProtocolUpstreamTransport, config: {version: V2, added_tlvs: [" +
            tlv +
            "]}, transport_socket: {name: raw, typed_config: {'@type': type.googleapis.com/envoy.extensions."
            "transport_sockets.raw_buffer.v3.RawBuffer}}}}, ");
    return "static_resources:\n  clusters:\n" + text;
  };
  const Loaded good(with("{type: 224, value: AA==}"));
  INFO(good.errors.toString());
  CHECK(good.ok);
  CHECK(Loaded(with("{type: 224}")).says("config.added_tlvs[0]: needs a value"));
}

TEST_CASE("what stands twice is refused") {
  const Loaded t("static_resources:\n  clusters:\n" + cluster("c") + cluster("c") + "  listeners:\n" +
                 listener("l", 10000, "c") + listener("l", 10001, "c") + listener("m", 10000, "c"));
  CHECK_FALSE(t.ok);
  CHECK(t.says("clusters[1].name: \"c\" is the name of clusters[0], too"));
  CHECK(t.says("listeners[1].name: \"l\" is the name of listeners[0], too"));
  CHECK(t.says("127.0.0.1:10000 is the address of static_resources.listeners[0], too"));
}

TEST_CASE("a TCP and a UDP listener may have the same port, two of UDP may not") {
  auto udp = [](const std::string& name) {
    return "  - name: " + name +
           "\n    address: {socket_address: {protocol: UDP, address: 127.0.0.1, port_value: 10000}}\n"
           "    listener_filters: [{name: u, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.udp."
           "udp_proxy.v3.UdpProxyConfig, stat_prefix: u, cluster: c}}]\n";
  };
  const std::string before =
      "static_resources:\n  clusters:\n" + cluster("c") + "  listeners:\n" + listener("l", 10000, "c") + udp("u");
  const Loaded both(before);
  INFO(both.errors.toString());
  CHECK(both.ok);
  CHECK(Loaded(before + udp("v")).says("127.0.0.1:10000 (UDP) is the address of static_resources.listeners[1], too"));
}

TEST_CASE("a route to a cluster that is not there is refused") {
  const Loaded t("static_resources:\n  clusters:\n" + cluster("c") + "  listeners:\n" + listener("l", 10000, "d"));
  CHECK_FALSE(t.ok);
  CHECK(t.says("there is no cluster \"d\""));
}

TEST_CASE("upstream filters call clusters of any place in the file, and none that is not there") {
  const auto calling = [](const std::string& name) {
    std::string text = cluster("c");
    const std::string type = "'@type': type.googleapis.com/envoy.extensions.";
    text.insert(
        text.find("load_assignment"),
        "typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {" + type +
            "upstreams.http.v3.HttpProtocolOptions, explicit_http_config: {http_protocol_options: {}}, http_filters: "
            "[{name: authz, typed_config: {" +
            type + "filters.http.ext_authz.v3.ExtAuthz, http_service: {server_uri: {uri: 'http://a', cluster: " + name +
            ", timeout: 1s}}}}, {name: codec, typed_config: {" + type +
            "filters.http.upstream_codec.v3.UpstreamCodec}}]}}, ");
    return "static_resources:\n  clusters:\n" + text + cluster("d");
  };

  const Loaded good(calling("d")), bad(calling("e"));

  INFO(good.errors.toString());
  CHECK(good.ok);
  CHECK(bad.says("server_uri.cluster: no cluster is called 'e'"));
}

TEST_CASE("dynamic configuration needs a node, and a static cluster to come from") {
  const std::string dynamic =
      "dynamic_resources: {cds_config: {resource_api_version: V3, ads: {}}, ads_config: {api_type: GRPC, "
      "transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: xds}}]}}\n";
  const Loaded t(dynamic);
  CHECK_FALSE(t.ok);
  CHECK(t.says("node: needs id and cluster"));
  CHECK(t.says("names the cluster \"xds\", which is not in static_resources.clusters"));
  const Loaded named(dynamic, [](Options& o) {
    o.service_node = "n";
    o.service_cluster = "c";
  });
  CHECK_FALSE(named.errors.toString().empty());
  CHECK_FALSE(named.says("node: needs id and cluster"));
  CHECK(named.proto.node().id() == "n");
}

TEST_CASE("route tables from ADS need an ADS stream, in whichever chain") {
  const std::string chain =
      "{filters: [{name: hcm, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network."
      "http_connection_manager.v3.HttpConnectionManager, stat_prefix: a, rds: {route_config_name: r, config_source: "
      "{ads: {}, resource_api_version: V3}}, http_filters: [{name: router, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]}}]}";
  const auto listenerWith = [](const std::string& chains) {
    return "static_resources: {listeners: [{name: l, address: {socket_address: {address: 127.0.0.1, port_value: "
           "10000}}, " +
           chains + "}]}";
  };
  const Loaded first(listenerWith("filter_chains: [" + chain + "]"));
  CHECK_FALSE(first.ok);
  CHECK(first.says("filter_chains[0].filters[0].typed_config.rds.config_source.ads: needs dynamic_resources"));
  const Loaded fallback(listenerWith("default_filter_chain: " + chain));
  CHECK_FALSE(fallback.ok);
  CHECK(fallback.says("default_filter_chain.filters[0].typed_config.rds.config_source.ads: needs dynamic_resources"));
}

TEST_CASE("only an admin block with an address asks for an admin server") {
  const Loaded none("admin: {}");
  CHECK(none.ok);
  CHECK_FALSE(none.compiled.settings->admin_address);
  const Loaded t("admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}");
  INFO(t.errors.toString());
  CHECK(t.ok);
  CHECK(t.compiled.settings->admin_address.has_value());
}

TEST_CASE("text that is no configuration is refused") {
  CHECK_FALSE(Loaded("a: [").ok);
  CHECK_FALSE(Loaded("no_such_field: 1").ok);
}

TEST_CASE("the local cluster is a static one, and needs to be somewhere") {
  const std::string statics =
      "static_resources: {clusters: [{name: us, type: STATIC, load_assignment: {cluster_name: us}}]}\n";
  Loaded good(statics + "cluster_manager: {local_cluster_name: us}\nnode: {locality: {zone: a}}");
  CHECK(good.ok);
  CHECK(good.errors.warnings().empty());
  Loaded nowhere(statics + "cluster_manager: {local_cluster_name: us}");
  CHECK(nowhere.ok);
  CHECK(nowhere.errors.warnings().size() == 1);
  Loaded unknown(statics + "cluster_manager: {local_cluster_name: them}\nnode: {locality: {zone: a}}");
  CHECK(unknown.says("cluster_manager.local_cluster_name: names the cluster \"them\", which is not in"));
}

}  // namespace
}  // namespace sluice::server
