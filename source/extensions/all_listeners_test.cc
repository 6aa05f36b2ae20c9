// Listeners as configured: listener filters, filter chains, sockets; what cannot be is an error that says so.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

#include "source/config/listener_compiler.h"
#include "source/config/udp_filter_factory.h"
#include "source/extensions/test_all.h"
#include "source/filter/test_network.h"

namespace sluice::extensions {
namespace {

using Proto = envoy::config::listener::v3::Listener;

const std::string kFilters =
    "filters: [{name: hcm, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network."
    "http_connection_manager.v3.HttpConnectionManager, stat_prefix: a, route_config: {name: r}, http_filters: "
    "[{name: router, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]}}]";

struct ListenerWorld : World {
  // `chains` and `more` are fields of the listener in flow form.
  std::optional<config::CompiledListener> compile(const std::string& chains, const std::string& more = "") {
    return compileText("{name: l, address: {socket_address: {address: 127.0.0.1, port_value: 80}}, " + chains +
                       (more.empty() ? "" : ", " + more) + "}");
  }
  std::optional<config::CompiledListener> compileText(const std::string& yaml) {
    Proto proto;
    if (!load(yaml, proto)) return std::nullopt;
    return config::compileListener(proto, at, services);
  }
};

std::string chain(const std::string& match) {
  return "{filter_chain_match: {" + match + "}, " + kFilters + "}";
}

const std::string kOne = "filter_chains: [{" + kFilters + "}]";

std::string problems(const std::string& chains, const std::string& more = "") {
  ListenerWorld world;
  world.compile(chains, more);
  return world.problems();
}

TEST_CASE("a listener's connections are outside of the process's limit if either field says so") {
  CHECK_FALSE(ListenerWorld().compile(kOne)->ignore_global_conn_limit);
  CHECK(ListenerWorld().compile(kOne, "ignore_global_conn_limit: true")->ignore_global_conn_limit);
  CHECK(ListenerWorld().compile(kOne, "bypass_overload_manager: true")->ignore_global_conn_limit);
}

TEST_CASE("an internal listener has its name for an address, and nothing of sockets") {
  const std::string inner = "{name: inner, internal_listener: {}, " + kOne;
  const auto compiled = ListenerWorld().compileText(inner + "}");
  REQUIRE(compiled);
  CHECK(compiled->internal);
  CHECK_FALSE(compiled->bind);
  CHECK(compiled->ignore_global_conn_limit);
  CHECK(compiled->addresses[0].toString() == "envoy://inner/");
  CHECK(compiled->stat_name == "envoy_internal_inner");
  CHECK(ListenerWorld().compileText(inner + ", address: {envoy_internal_address: {server_listener_name: inner}}}"));

  const auto problemsOf = [&](const std::string& more) {
    ListenerWorld world;
    CHECK_FALSE(world.compileText(inner + ", " + more + "}"));
    return world.problems();
  };
  CHECK_SAYS(problemsOf("address: {socket_address: {address: 127.0.0.1, port_value: 1}}"),
             "address: an internal listener has no address but its name; remove it");
  CHECK_SAYS(problemsOf("address: {envoy_internal_address: {server_listener_name: other}}"),
             "is not the listener's name, \"inner\"; remove the address");
  CHECK_SAYS(problemsOf("tcp_backlog_size: 1"), "tcp_backlog_size: is about sockets");
  CHECK_SAYS(problemsOf("bind_to_port: true"), "bind_to_port: is about sockets");
  CHECK_SAYS(problemsOf("enable_mptcp: true"), "enable_mptcp: is about sockets");
  ListenerWorld world;
  CHECK_FALSE(world.compileText("{internal_listener: {}, " + kOne + "}"));
  CHECK_SAYS(world.problems(), "name: the name of an internal listener is empty");
}

TEST_CASE("one chain without criteria needs no choice, all others are chosen by an index") {
  CHECK(ListenerWorld().compile(kOne)->index == nullptr);
  CHECK(ListenerWorld().compile("default_filter_chain: {" + kFilters + "}")->index == nullptr);
  const auto named = ListenerWorld().compile("filter_chains: [" + chain("server_names: [a.com]") + "]");
  CHECK(named->index != nullptr);
  CHECK(named->guard != nullptr);
  const auto two = ListenerWorld().compile("filter_chains: [" + chain("destination_port: 80") + "]",
                                           "default_filter_chain: {" + kFilters + "}");
  REQUIRE(two);
  CHECK(two->chains.size() == 2);
  CHECK(two->default_chain == 1U);
  CHECK(two->guard == nullptr);
  CHECK(two->chains[0].content_hash != two->chains[1].content_hash);
}

TEST_CASE("a filter that goes by server names is warned of where no connection has one") {
  const std::string network = "type.googleapis.com/envoy.extensions.filters.network.";
  const std::string filters = "filters: [{name: s, typed_config: {'@type': " + network +
                              "sni_dynamic_forward_proxy.v3.FilterConfig, port_value: 443, dns_cache_config: {name: "
                              "cache}}}, {name: t, typed_config: "
                              "{'@type': " +
                              network + "tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: a}}]";
  const std::string inspector =
      "listener_filters: [{name: i, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.listener."
      "tls_inspector.v3.TlsInspector}}]";
  const auto warned = [&](const std::string& more) {
    ListenerWorld world;
    world.compile("filter_chains: [{" + filters + "}]", more);
    CHECK(world.problems() == "");
    const auto& all = world.errors.warnings();
    return std::count_if(all.begin(), all.end(), [](const config::ConfigError& warning) {
      return warning.path == "filter_chains[0].filters[0]" &&
             warning.message.find("by server names") != std::string::npos;
    });
  };
  CHECK(warned("") == 1);
  CHECK(warned(inspector) == 0);
  CHECK(warned("listener_filters: [{name: i, config_discovery: {config_source: {ads: {}}, type_urls: "
               "[type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector]}}]") == 0);
}

TEST_CASE("a listener's filters hold their stats and the clusters that they name, and let go of both") {
  ListenerWorld world;
  const size_t stats_before = world.stats.size();
  const std::string network = "type.googleapis.com/envoy.extensions.filters.network.";
  const std::string tcp = "{name: t, typed_config: {\"@type\": " + network +
                          "tcp_proxy.v3.TcpProxy, stat_prefix: t, weighted_clusters: {clusters: [{name: a, weight: 1}, "
                          "{name: b, weight: 1}]}}}";
  const std::string gate = "{name: g, typed_config: {\"@type\": " + network +
                           "connection_limit.v3.ConnectionLimit, stat_prefix: g, max_connections: 5}}";
  const std::string http = "type.googleapis.com/envoy.extensions.filters.http.";
  const std::string manager =
      "{name: h, typed_config: {\"@type\": " + network +
      "http_connection_manager.v3.HttpConnectionManager, stat_prefix: h, route_config: {name: r, validate_clusters: "
      "false, virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: c}}]}]}, "
      "http_filters: [{name: l, typed_config: {\"@type\": " +
      http + "local_ratelimit.v3.LocalRateLimit, stat_prefix: l}}, {name: router, typed_config: {\"@type\": " + http +
      "router.v3.Router}}]}}";
  auto compiled = world.compile("filter_chains: [{filter_chain_match: {destination_port: 80}, filters: [" + gate +
                                ", " + tcp + "]}, {filters: [" + manager + "]}]");
  REQUIRE(world.problems() == "");
  CHECK(world.stats.find("tcp.t.downstream_cx_total") != nullptr);
  CHECK(world.stats.find("http.h.downstream_rq_total") != nullptr);
  for (const char* name : {"a", "b"}) CHECK(world.cluster_names.used(world.cluster_names.find(name)));
  compiled->held.reset();
  compiled->chains.pop_back();  // what is held is each chain's own
  CHECK(world.stats.find("tcp.t.downstream_cx_total") != nullptr);
  CHECK(world.stats.find("connection_limit.g.active_connections") != nullptr);
  CHECK(world.stats.find("http.h.downstream_rq_total") == nullptr);

  compiled.reset();
  CHECK(world.stats.size() == stats_before);
  for (const char* name : {"a", "b"}) CHECK_FALSE(world.cluster_names.used(world.cluster_names.find(name)));
}

TEST_CASE("a route that names what its filter does not have is found where both are compiled together") {
  const std::string http = "type.googleapis.com/envoy.extensions.filters.http.";
  // `filters`: in front of the router; a route has `settings` for filter "f".
  const auto compile = [&](ListenerWorld& world, const std::string& filters, const std::string& settings) {
    world.compile(
        "filter_chains: [{filters: [{name: h, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters."
        "network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: h, route_config: {name: r, "
        "virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, redirect: {}, "
        "typed_per_filter_config: {f: {'@type': " +
        http + settings + "}}}]}]}, http_filters: [" + filters + ", {name: router, typed_config: {'@type': " + http +
        "router.v3.Router}}]}}]}]");
  };
  const std::string own = "source_codes: {a: {inline_string: 'function envoy_on_request(h) end'}}";
  const std::string lua = "{name: f, typed_config: {'@type': " + http + "lua.v3.Lua, " + own + "}}";
  const std::string bounded =
      "{name: f, typed_config: {'@type': type.googleapis.com/sluice.extensions.filters.http.lua.v1.Lua, lua: {" + own +
      "}}}";
  const auto problems = [&](const std::string& filters, const std::string& settings) {
    ListenerWorld world;
    compile(world, filters, settings);
    return world.problems();
  };

  CHECK(problems(lua, "lua.v3.LuaPerRoute, name: a") == "");
  CHECK(problems(bounded, "lua.v3.LuaPerRoute, name: a") == "");
  for (const std::string& filter : {lua, bounded}) {
    const std::string found = problems(filter, "lua.v3.LuaPerRoute, name: b");
    CHECK_SAYS(found, "typed_per_filter_config[\"f\"].name: ");
    CHECK_SAYS(found, "the filter has no script 'b' in source_codes; it has 'a'");
  }
  ListenerWorld as_envoy;
  as_envoy.services.defaults = config::Defaults::kEnvoy;
  compile(as_envoy, lua, "lua.v3.LuaPerRoute, name: b");
  CHECK(as_envoy.problems() == "");
  REQUIRE(as_envoy.errors.warnings().size() == 1);
  CHECK_SAYS(as_envoy.errors.warnings().front().toString(), "go on without a script");

  const std::string jwt =
      "{name: f, typed_config: {'@type': " + http + "jwt_authn.v3.JwtAuthentication, requirement_map: {a: {}}}}";
  for (const std::string name : {"a", "b"}) {
    ListenerWorld world;
    compile(world, jwt, "jwt_authn.v3.PerRouteConfig, requirement_name: " + name);
    CHECK(world.problems() == "");
    std::string told;
    for (const config::ConfigError& warning : world.errors.warnings()) told += warning.toString();
    CHECK((told.find("no requirement is called 'b'") != std::string::npos) == (name == "b"));
  }
}

TEST_CASE("listeners that come with ever new names of stats leave nothing behind") {
  ListenerWorld world;
  const std::string network = "type.googleapis.com/envoy.extensions.filters.network.";
  const size_t before = world.stats.size();
  std::optional<config::CompiledListener> serving;
  for (int i = 0; i < 1000; ++i) {
    const std::string prefix = "p" + std::to_string(i);
    const std::string filters = "filters: [{name: g, typed_config: {\"@type\": " + network +
                                "connection_limit.v3.ConnectionLimit, stat_prefix: " + prefix +
                                ", max_connections: 5}}, {name: t, typed_config: {\"@type\": " + network +
                                "tcp_proxy.v3.TcpProxy, stat_prefix: " + prefix + ", cluster: c}}]";
    serving = world.compile("filter_chains: [{" + filters + "}]", "stat_prefix: " + prefix);
    REQUIRE(world.problems() == "");
  }
  CHECK(world.stats.find("tcp.p999.downstream_cx_total") != nullptr);
  CHECK(world.stats.find("tcp.p998.downstream_cx_total") == nullptr);

  serving.reset();
  CHECK(world.stats.size() == before);
  CHECK(world.stats.cellsUsed() < 100);
}

// A chain that lets one connection in at a time and answers nothing.
std::string limited(const std::string& more = "") {
  const std::string network = "type.googleapis.com/envoy.extensions.filters.network.";
  return "filters: [" + more + "{name: g, typed_config: {\"@type\": " + network +
         "connection_limit.v3.ConnectionLimit, stat_prefix: g, max_connections: 1}}, {name: e, typed_config: "
         "{\"@type\": " +
         network + "echo.v3.Echo}}]";
}

TEST_CASE("a changed listener goes on counting the connections of the one before") {
  ListenerWorld world;
  filter::TestNetwork network;
  const auto first = world.compile("filter_chains: [{name: c, " + limited() + "}]");
  REQUIRE(first);
  filter::NetworkClient& old = network.connect(*first->chains[0].terminal);

  const std::string sni =
      "{name: s, typed_config: {\"@type\": "
      "type.googleapis.com/envoy.extensions.filters.network.sni_cluster.v3.SniCluster}}, ";
  const auto second = world.compile("filter_chains: [{name: d, " + limited() +
                                    ", filter_chain_match: "
                                    "{destination_port: 80}}, {name: c, " +
                                    limited(sni) + "}]");
  REQUIRE(second);
  filter::NetworkClient& refused = network.connect(*second->chains[1].terminal);
  network.loop.turn();
  refused.take();
  CHECK(refused.closed);
  filter::NetworkClient& of_another_chain = network.connect(*second->chains[0].terminal);
  of_another_chain.take();
  CHECK_FALSE(of_another_chain.closed);

  old.close();
  network.loop.turn();
  filter::NetworkClient& late = network.connect(*second->chains[1].terminal);
  late.take();
  CHECK_FALSE(late.closed);
}

TEST_CASE("chains that match the same connections are told with both places") {
  const std::string says =
      problems("filter_chains: [" + chain("server_names: [a.com]") + ", " + chain("server_names: [b.com]") + ", " +
               chain("server_names: [c.com, A.com]") + "]");
  CHECK_SAYS(says, "filter_chains[2].filter_chain_match");
  CHECK_SAYS(says, "filter_chains[0] equally well");
}

TEST_CASE("criteria that cannot hold are refused") {
  auto of = [](const std::string& match) { return problems("filter_chains: [" + chain(match) + "]"); };
  CHECK_SAYS(of("server_names: ['*']"), "server_names[0]: \"*\" is no server name");
  CHECK_SAYS(of("server_names: ['a.*.com']"), "is no server name");
  CHECK_SAYS(of("server_names: ['*.']"), "is no server name");
  CHECK_SAYS(of("server_names: ['.a.com']"), "is no server name");
  CHECK_SAYS(of("server_names: ['']"), "is no server name");
  CHECK_SAYS(of("transport_protocol: quic"), "is never detected");
  CHECK_SAYS(of("prefix_ranges: [{address_prefix: 1.2.3.4, prefix_len: 33}]"), "prefix_ranges[0]");
  CHECK_SAYS(of("source_prefix_ranges: [{address_prefix: host, prefix_len: 3}]"), "is no range");
  CHECK_SAYS(of("source_ports: [0]"), "source_ports[0]");
  CHECK_SAYS(of("destination_port: 65536"), "destination_port");
  CHECK(of("server_names: [a.com, '*.a.com'], transport_protocol: tls, application_protocols: [h2], "
           "source_type: EXTERNAL, direct_source_prefix_ranges: [{address_prefix: '::', prefix_len: 0}]") == "");
}

TEST_CASE("listener filters come with their predicates") {
  const std::string type = "'@type': type.googleapis.com/envoy.extensions.filters.listener.";
  const std::string inspector = "typed_config: {" + type + "tls_inspector.v3.TlsInspector}";
  ListenerWorld world;
  const auto compiled = world.compile(
      kOne,
      "listener_filters_timeout: 2.5s, continue_on_listener_filters_timeout: true, listener_filters: [{name: a, " +
          inspector + "}, {name: b, " + inspector +
          ", filter_disabled: {not_match: {destination_port_range: {start: 443, end: 444}}}}]");
  REQUIRE(compiled);
  REQUIRE(compiled->filters.size() == 2);
  CHECK(compiled->filters[0].disabled == nullptr);
  filter::Accepted at_443;
  at_443.local = *net::Address::fromIp("1.1.1.1", 443);
  CHECK_FALSE(compiled->filters[1].disabled->holds(at_443));
  CHECK(compiled->filters[1].disabled->holds({}));
  CHECK(compiled->filters_timeout == std::chrono::milliseconds(2500));
  CHECK(compiled->continue_on_filters_timeout);
  CHECK(ListenerWorld().compile(kOne)->filters_timeout == std::chrono::seconds(15));
  CHECK(ListenerWorld().compile(kOne, "listener_filters_timeout: 0s")->filters_timeout.count() == 0);
  ListenerWorld negative;
  CHECK_FALSE(negative.compile(kOne, "listener_filters_timeout: -1s"));
  CHECK_SAYS(negative.problems(), "listener_filters_timeout: is negative");

  CHECK_SAYS(problems(kOne, "listener_filters: [{name: a}]"), "listener_filters[0].typed_config");
  CHECK_SAYS(problems(kOne, "listener_filters: [{name: a, " + inspector + ", filter_disabled: {}}]"),
             "filter_disabled");
  CHECK_SAYS(problems(kOne, "listener_filters: [{name: a, " + inspector +
                                ", filter_disabled: {destination_port_range: {start: 5, end: 5}}}]"),
             "holds no port");
  CHECK_SAYS(problems(kOne, "listener_filters: [{name: a, typed_config: {" + type +
                                "tls_inspector.v3.TlsInspector, max_client_hello_size: 255}}]"),
             "max_client_hello_size");
  CHECK_SAYS(problems(kOne,
                      "listener_filters: [{name: a, typed_config: {'@type': type.googleapis.com/sluice.extensions."
                      "filters.listener.proxy_protocol.v1.TrustedProxyProtocol}}]"),
             "trusted_peers");
}

TEST_CASE("listener filters may be discovered") {
  const auto filters = [](const std::string& type, const std::string& more = "") {
    return "listener_filters: [{name: a, config_discovery: {config_source: {ads: {}}, type_urls: "
           "[type.googleapis.com/envoy.extensions.filters.listener." +
           type + "]" + more + "}}]";
  };
  const std::string by_name = "filter_chains: [" + chain("server_names: [a.com]") + "]";
  ListenerWorld world;
  const auto compiled = world.compile(by_name, filters("tls_inspector.v3.TlsInspector"));
  INFO(world.problems());
  REQUIRE(compiled);
  REQUIRE(compiled->filters.size() == 1);
  CHECK(compiled->filters[0].filter == nullptr);
  CHECK(compiled->filters[0].discovered != nullptr);

  CHECK_SAYS(problems(kOne, filters("none.v3.None")), "listener_filters[0].config_discovery.type_urls[0]");
  ListenerWorld udp;
  udp.compileText("{name: l, address: {socket_address: {protocol: UDP, address: 127.0.0.1, port_value: 53}}, " +
                  filters("tls_inspector.v3.TlsInspector") + "}");
  CHECK_SAYS(udp.problems(), "listener_filters[0].config_discovery: cannot bring the filter of a UDP listener");
  CHECK_SAYS(problems(kOne, filters("tls_inspector.v3.TlsInspector", ", apply_default_config_without_warming: true")),
             "needs a default_config");
}

TEST_CASE("what sockets are made with decides whether an update makes new ones") {
  const auto plain = ListenerWorld().compile(kOne);
  CHECK(plain->bind);
  CHECK(plain->reuse_port);
  CHECK(ListenerWorld().compile(kOne, "stat_prefix: x")->socket_hash == plain->socket_hash);
  for (const char* more :
       {"freebind: true", "transparent: true", "tcp_backlog_size: 5", "bind_to_port: false", "enable_reuse_port: false",
        "tcp_keepalive: {}", "tcp_fast_open_queue_length: 3", "socket_options: [{level: 1, name: 9, int_value: 1}]"}) {
    CAPTURE(more);
    CHECK(ListenerWorld().compile(kOne, more)->socket_hash != plain->socket_hash);
  }
  const auto kept = ListenerWorld().compile(kOne,
                                            "tcp_keepalive: {keepalive_time: 7}, socket_options: [{level: 6, name: 5, "
                                            "buf_value: AQIDBA==, state: STATE_LISTENING, description: mine}]");
  const auto& options = kept->socket_options;
  REQUIRE(options.size() == 5);
  CHECK(options[0].level == SOL_SOCKET);
  CHECK(options[0].name == SO_KEEPALIVE);
  CHECK(options[2].name == TCP_KEEPIDLE);
  CHECK(options[4].value == "\1\2\3\4");
  CHECK(options[4].when == net::SocketOption::When::kListening);
  CHECK_SAYS(problems(kOne, "socket_options: [{level: 1, name: 9}]"), "socket_options[0]");
  CHECK_SAYS(problems(kOne, "socket_options: [{level: 1, name: 9, int_value: 4294967296}]"), "does not fit");
}

const std::string kUdpType =
    "'@type': type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig, stat_prefix: u, ";

// A UDP listener whose proxy has `fields`.
std::optional<config::CompiledListener> compileUdp(ListenerWorld& world, const std::string& fields,
                                                   const std::string& more = "") {
  return world.compileText(
      "{name: l, address: {socket_address: {protocol: UDP, address: 127.0.0.1, port_value: 53}}, listener_filters: "
      "[{name: u, typed_config: {" +
      kUdpType + fields + "}}]" + (more.empty() ? "" : ", " + more) + "}");
}
std::string udpProblems(const std::string& fields, const std::string& more = "") {
  ListenerWorld world;
  compileUdp(world, fields, more);
  return world.problems();
}
std::string actionOf(const std::string& type) {
  return "matcher: {on_no_match: {action: {name: a, typed_config: {'@type': type.googleapis.com/" + type + "}}}}";
}

TEST_CASE("the example of udp_proxy is the filter of a UDP listener") {
  ListenerWorld world;
  envoy::config::listener::v3::ListenerFilter proto;
  world.loadFile("source/extensions/filters/udp/udp_proxy/example.yaml", proto);
  REQUIRE(world.problems() == "");
  const auto match = world.registry.udp_filters.resolve(proto.typed_config(), world.at);
  REQUIRE(match);
  CHECK(match.factory->compile(*match.config, world.context()) != nullptr);
  CHECK(world.problems() == "");
}

TEST_CASE("a UDP listener has datagrams instead of chains") {
  ListenerWorld world;
  const auto plain = compileUdp(world, "cluster: c");
  REQUIRE(plain);
  CHECK(plain->isUdp());
  CHECK(plain->chains.empty());
  CHECK(plain->udp.max_rx_datagram_size == 1500);
  CHECK_FALSE(plain->udp.prefer_gro);
  const auto sized =
      compileUdp(world, "cluster: c",
                 "udp_listener_config: {downstream_socket_config: {max_rx_datagram_size: 9000, prefer_gro: true}}");
  CHECK(sized->udp.max_rx_datagram_size == 9000);
  CHECK(sized->udp.prefer_gro);
  CHECK(sized->udp.filter_hash == plain->udp.filter_hash);
  CHECK(sized->socket_hash == plain->socket_hash);
  CHECK(compileUdp(world, "cluster: d")->udp.filter_hash != plain->udp.filter_hash);
  CHECK(ListenerWorld().compile(kOne)->socket_hash != plain->socket_hash);
  CHECK_FALSE(ListenerWorld().compile(kOne)->isUdp());
}

TEST_CASE("what cannot be on a UDP listener is told by field") {
  for (const char* more :
       {"filter_chains: [{}]", "default_filter_chain: {}", "use_original_dst: true",
        "connection_balance_config: {exact_balance: {}}", "tcp_fast_open_queue_length: 1", "tcp_keepalive: {}",
        "tcp_backlog_size: 1", "max_connections_to_accept_per_socket_event: 1", "listener_filters_timeout: 1s",
        "continue_on_listener_filters_timeout: true", "per_connection_buffer_limit_bytes: 1",
        "ignore_global_conn_limit: true", "transparent: true", "bind_to_port: false", "enable_reuse_port: false",
        "enable_mptcp: true"}) {
    CAPTURE(more);
    const std::string field(more, std::string(more).find(':'));
    CHECK_SAYS(udpProblems("cluster: c", more), "test.yaml");
    CHECK_SAYS(udpProblems("cluster: c", more), field + ":");
  }
  CHECK_SAYS(udpProblems("cluster: c",
                         "additional_addresses: [{address: {socket_address: {address: 127.0.0.1, port_value: 1}}}]"),
             "this one has to be too");
  CHECK_SAYS(
      udpProblems("cluster: c", "udp_listener_config: {downstream_socket_config: {max_rx_datagram_size: 65536}}"),
      "max_rx_datagram_size");
}

TEST_CASE("where a udp_proxy leads to is a cluster, or a matcher whose action is its route") {
  ListenerWorld world;
  const std::string route = "envoy.extensions.filters.udp.udp_proxy.v3.Route, cluster: c";
  CHECK(compileUdp(world, actionOf(route)));
  CHECK(world.problems() == "");
  CHECK_SAYS(udpProblems("idle_timeout: 5s"), "route_specifier");
  CHECK_SAYS(udpProblems(actionOf("envoy.extensions.filters.udp.udp_proxy.v3.Route")), "cluster");
  CHECK_SAYS(udpProblems(actionOf("envoy.extensions.filters.network.echo.v3.Echo")), "is no action of udp_proxy");
  CHECK_SAYS(udpProblems("matcher: {}"), "on_no_match");
  CHECK_SAYS(udpProblems("matcher: {matcher_list: {}}"), "matcher_list");
  CHECK_SAYS(udpProblems("cluster: c, idle_timeout: -1s"), "idle_timeout");
  CHECK(udpProblems("cluster: c, hash_policies: [{source_ip: true}]") == "");
  for (const char* field : {"use_original_src_ip: true", "session_filters: []", "tunneling_config: {}"}) {
    CAPTURE(field);
    CHECK_SAYS(udpProblems(std::string("cluster: c, ") + field), std::string(field, std::string(field).find(':')));
  }
}

// An extension of matchers: an input, an action.
std::string extension(const std::string& type) {
  return "{name: e, typed_config: {'@type': type.googleapis.com/" + type + "}}";
}
std::string networkInput(const std::string& name) {
  return "input: " + extension("envoy.extensions.matching.common_inputs.network.v3." + name);
}
std::string leadsTo(const std::string& chain) {
  return "{action: " + extension("google.protobuf.StringValue, value: " + chain) + "}";
}
std::string named(const std::string& name) {
  return "{name: " + name + ", " + kFilters + "}";
}
std::string byPort(const std::string& port, const std::string& chain) {
  return "matcher_tree: {" + networkInput("DestinationPortInput") + ", exact_match_map: {map: {'" + port +
         "': " + leadsTo(chain) + "}}}";
}

// The chain that a connection gets, "default", or "none".
std::string chosen(const config::CompiledListener& listener, filter::Accepted& accepted) {
  const match::Result result = listener.matcher->evaluate({.remote = &accepted.remote,
                                                           .local = &accepted.local,
                                                           .direct_remote = &accepted.direct_remote,
                                                           .server_name = accepted.server_name,
                                                           .transport_protocol = accepted.transport_protocol,
                                                           .application_protocols = &accepted.application_protocols});
  if (result.state != match::Result::State::kMatched) return "default";
  return result.action < listener.chains.size() ? listener.chains[result.action].name : "none";
}

TEST_CASE("a filter_chain_matcher chooses among chains by their names, by what is known of the connection") {
  ListenerWorld world;
  const std::string by_ip =
      "{matcher: {matcher_tree: {" + networkInput("SourceIPInput") + ", custom_match: " +
      extension(
          "xds.type.matcher.v3.IPMatcher, range_matchers: [{ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}], "
          "on_match: " +
          leadsTo("inside") + "}]") +
      "}}}";
  const std::string by_name = "{predicate: {and_matcher: {predicate: [{single_predicate: {" +
                              networkInput("ServerNameInput") +
                              ", value_match: {suffix: .example}}}, {not_matcher: {single_predicate: {" +
                              networkInput("SourceIPInput") + ", custom_match: " +
                              extension(
                                  "envoy.extensions.matching.input_matchers.ip.v3.Ip, stat_prefix: s, cidr_ranges: "
                                  "[{address_prefix: 192.0.2.0, prefix_len: 24}]") +
                              "}}}]}}, on_match: " + leadsTo("named") + "}";
  const auto listener =
      world.compile("filter_chains: [" + named("inside") + ", " + named("named") + "]",
                    "filter_chain_matcher: {matcher_list: {matchers: [" + by_name + "]}, on_no_match: " + by_ip + "}");
  CHECK(world.problems() == "");
  REQUIRE(listener);
  CHECK(listener->index == nullptr);
  CHECK(listener->guard == nullptr);

  filter::Accepted accepted;
  accepted.remote = *net::Address::fromIp("10.1.2.3", 1);
  CHECK(chosen(*listener, accepted) == "inside");
  accepted.server_name = "db.example";
  CHECK(chosen(*listener, accepted) == "named");
  accepted.remote = *net::Address::fromIp("192.0.2.3", 1);
  CHECK(chosen(*listener, accepted) == "default");
}

TEST_CASE("a filter_chain_matcher needs chains with names, of which each is there once") {
  const std::string matcher = "filter_chain_matcher: {" + byPort("80", "a") + "}";

  CHECK_SAYS(problems(kOne, matcher), "filter_chains[0].name: is needed");
  CHECK_SAYS(problems("filter_chains: [" + named("a") + ", " + named("a") + "]", matcher),
             "filter_chains[1].name: \"a\" is the name of filter_chains[0]");
}

TEST_CASE("a chain that a filter_chain_matcher names and that is not there is warned of and closes the connection") {
  ListenerWorld world;
  const auto listener =
      world.compile("filter_chains: [" + named("a") + "]", "filter_chain_matcher: {" + byPort("80", "b") + "}");
  REQUIRE(listener);
  REQUIRE(world.errors.warnings().size() == 1);
  CHECK_SAYS(world.errors.warnings()[0].toString(), "no filter chain is called \"b\"");
  filter::Accepted accepted;
  accepted.local = *net::Address::fromIp("192.0.2.1", 80);

  CHECK(chosen(*listener, accepted) == "none");
}

TEST_CASE("with a filter_chain_matcher the criteria of chains are not looked at, which is warned of") {
  ListenerWorld world;
  const std::string with_match = "{name: a, filter_chain_match: {destination_port: 80}, " + kFilters + "}";

  CHECK(world.compile("filter_chains: [" + with_match + "]", "filter_chain_matcher: {" + byPort("80", "a") + "}"));
  REQUIRE(world.errors.warnings().size() == 1);
  CHECK_SAYS(world.errors.warnings()[0].toString(), "filter_chains[0].filter_chain_match: is not looked at");
}

TEST_CASE("matchers that cannot work are refused with their place") {
  const std::string chains = "filter_chains: [" + named("a") + "]";
  const auto refused = [&chains](const std::string& matcher) {
    return problems(chains, "filter_chain_matcher: {" + matcher + "}");
  };
  const std::string port = networkInput("DestinationPortInput");

  CHECK_SAYS(refused(""), "filter_chain_matcher: is empty");
  CHECK_SAYS(refused("matcher_tree: {input: " + extension("google.protobuf.StringValue") +
                     ", exact_match_map: {map: {a: " + leadsTo("a") + "}}}"),
             "does not configure matcher inputs; known: envoy.extensions.matching.common_inputs");
  CHECK_SAYS(refused("matcher_tree: {" + port + ", custom_match: " + extension("google.protobuf.StringValue") + "}"),
             "is no table that is supported here; there are xds.type.matcher.v3.IPMatcher and");
  CHECK_SAYS(refused("matcher_tree: {" + port +
                     ", exact_match_map: {map: {a: {action: " + extension("google.protobuf.BoolValue") + "}}}}"),
             "does not choose a filter chain here");
  CHECK_SAYS(refused("on_no_match: {keep_matching: true, action: " + extension("google.protobuf.StringValue") + "}"),
             "on_no_match.keep_matching: has no meaning in filter_chain_matcher");
  CHECK_SAYS(refused("matcher_list: {matchers: [{predicate: {single_predicate: {" + port +
                     ", value_match: {safe_regex: {google_re2: {}, regex: '('}}}}, on_match: " + leadsTo("a") + "}]}"),
             "safe_regex.regex");
  CHECK_SAYS(udpProblems("matcher: {matcher_tree: {" + networkInput("ServerNameInput") +
                         ", exact_match_map: {map: {a: {action: " +
                         extension("envoy.extensions.filters.udp.udp_proxy.v3.Route, cluster: c") + "}}}}}"),
             "looks at what udp_proxy does not have");
}

TEST_CASE("matchers that are nested too deep are refused") {
  std::string deep = "on_no_match: " + leadsTo("a");
  for (int i = 0; i < 31; ++i) deep = "on_no_match: {matcher: {" + deep + "}}";
  const std::string chains = "filter_chains: [" + named("a") + "]";
  CHECK(problems(chains, "filter_chain_matcher: {" + deep + "}") == "");

  deep = "on_no_match: {matcher: {" + deep + "}}";

  CHECK_SAYS(problems(chains, "filter_chain_matcher: {" + deep + "}"), "nested more than 32 levels deep");
}

TEST_CASE("further addresses are listened on too") {
  const std::string second = "additional_addresses: [{address: {pipe: {path: /tmp/a, mode: 432}}}]";
  const auto compiled = ListenerWorld().compile(kOne, second);
  REQUIRE(compiled->addresses.size() == 2);
  REQUIRE(compiled->unix_modes.size() == 1);
  CHECK(compiled->unix_modes[0].second == 0660);
  CHECK_SAYS(
      problems(kOne, "additional_addresses: [{address: {socket_address: {address: 127.0.0.1, port_value: 80}}}]"),
      "already");
  CHECK_SAYS(problems(kOne, "additional_addresses: [{}]"), "additional_addresses[0].address");
}

}  // namespace
}  // namespace sluice::extensions
