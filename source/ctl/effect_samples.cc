#include "source/ctl/effect_samples.h"

#include <string_view>
#include <utility>

#include "source/base/text.h"

namespace sluice::ctl {
namespace {

constexpr std::string_view kListenerType = "envoy.config.listener.v3.Listener";
constexpr std::string_view kTcpProxy = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
constexpr std::string_view kUdpProxy = "type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig";
constexpr std::string_view kTlsInspector =
    "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";

// What two listeners may differ in, each with the value that it has in the others.
struct Parts {
  std::string name = "l";
  std::string port = "10000";
  std::string chain_name = "c";
  std::string stat_prefix = "t";  // of the chain's filter
  std::string of_chain;           // more fields, two spaces in
  std::string more;               // more fields of the listener
};

std::string filterOf(const std::string& stat_prefix) {
  return base::strCat("{name: tcp, typed_config: {\"@type\": ", kTcpProxy, ", stat_prefix: ", stat_prefix,
                      ", cluster: a}}");
}

std::string listenerOf(const Parts& parts) {
  return base::strCat("name: ", parts.name, "\naddress: {socket_address: {address: 127.0.0.1, port_value: ", parts.port,
                      "}}\nfilter_chains:\n- name: ", parts.chain_name, "\n  filters: [", filterOf(parts.stat_prefix),
                      "]\n", parts.of_chain, parts.more);
}

std::vector<EffectSample> listenerSamples() {
  std::vector<EffectSample> out;
  const auto add = [&out](const std::string& field, const Parts& after) {
    out.push_back({"Listener", std::string(kListenerType), field, listenerOf({}), listenerOf(after)});
  };
  const auto value = [&add](const std::string& field, const std::string& text) {
    add(field, {.more = base::strCat(field, ": ", text, "\n")});
  };
  add("name", {.name = "other"});
  add("address", {.port = "10001"});
  add("filter_chains", {.of_chain = base::strCat("- name: d\n  filter_chain_match: {destination_port: 1}\n  filters: [",
                                                 filterOf("t"), "]\n")});
  value("per_connection_buffer_limit_bytes", "1000");
  value("metadata", "{filter_metadata: {a: {b: c}}}");
  value("use_original_dst", "true");
  value("drain_type", "MODIFY_ONLY");
  value("listener_filters", base::strCat("[{name: tls, typed_config: {\"@type\": ", kTlsInspector, "}}]"));
  value("transparent", "true");
  value("freebind", "true");
  value("tcp_fast_open_queue_length", "5");
  value("socket_options", "[{level: 6, name: 1, int_value: 1}]");
  value("listener_filters_timeout", "1s");
  value("traffic_direction", "INBOUND");
  value("continue_on_listener_filters_timeout", "true");
  value("connection_balance_config", "{exact_balance: {}}");
  value("tcp_backlog_size", "100");
  value("default_filter_chain", base::strCat("{filters: [", filterOf("t"), "]}"));
  value("bind_to_port", "false");
  value("stat_prefix", "s");
  value("enable_reuse_port", "false");
  value("enable_mptcp", "true");
  value("ignore_global_conn_limit", "true");
  value("bypass_overload_manager", "true");
  value("filter_chain_matcher",
        "{on_no_match: {action: {name: c, typed_config: {\"@type\": type.googleapis.com/google.protobuf.StringValue, "
        "value: c}}}}");
  value("additional_addresses", "[{address: {socket_address: {address: 127.0.0.1, port_value: 10002}}}]");
  value("max_connections_to_accept_per_socket_event", "1");
  value("tcp_keepalive", "{keepalive_time: 1}");
  return out;
}

std::vector<EffectSample> chainSamples() {
  std::vector<EffectSample> out;
  const auto add = [&out](const std::string& field, const Parts& after) {
    out.push_back({"FilterChain", std::string(kListenerType), field, listenerOf({}), listenerOf(after)});
  };
  add("filter_chain_match", {.of_chain = "  filter_chain_match: {destination_port: 10000}\n"});
  add("filters", {.stat_prefix = "u"});
  add("metadata", {.of_chain = "  metadata: {filter_metadata: {a: {b: c}}}\n"});
  add("transport_socket",
      {.of_chain = "  transport_socket: {name: raw, typed_config: {\"@type\": "
                   "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}\n"});
  add("name", {.chain_name = "d"});
  add("transport_socket_connect_timeout", {.of_chain = "  transport_socket_connect_timeout: 1s\n"});
  return out;
}

std::string udpListener(std::string_view cluster, std::string_view port, std::string_view more) {
  return base::strCat("name: u\naddress: {socket_address: {protocol: UDP, address: 127.0.0.1, port_value: ", port,
                      "}}\nlistener_filters: [{name: udp, typed_config: {\"@type\": ", kUdpProxy,
                      ", stat_prefix: u, cluster: ", cluster, "}}]\n", more);
}

std::vector<EffectSample> udpSamples() {
  std::vector<EffectSample> out;
  const auto add = [&out](const std::string& field, const std::string& after) {
    out.push_back({"Listener of UDP", std::string(kListenerType), field, udpListener("a", "10000", ""), after});
  };
  add("address", udpListener("a", "10001", ""));
  add("listener_filters", udpListener("b", "10000", ""));
  add("udp_listener_config",
      udpListener("a", "10000", "udp_listener_config: {downstream_socket_config: {max_rx_datagram_size: 2000}}\n"));
  return out;
}

std::string hosts(std::string_view first, std::string_view more = "", std::string_view locality = "",
                  std::string_view whole = "") {
  return base::strCat(
      "cluster_name: e\nendpoints:\n- lb_endpoints:\n  - endpoint: {address: {socket_address: {address: ", first,
      ", port_value: 80}}}\n", more, locality, whole);
}

std::string oneHost(std::string_view of_endpoint, std::string_view of_host) {
  return base::strCat(
      "cluster_name: e\nendpoints:\n- lb_endpoints:\n  - endpoint: {address: {socket_address: {address: "
      "127.0.0.1, port_value: 80}}",
      of_endpoint, "}\n", of_host);
}

std::vector<EffectSample> endpointSamples() {
  std::vector<EffectSample> out;
  const std::string one = hosts("127.0.0.1");
  const std::string two =
      hosts("127.0.0.1", "  - endpoint: {address: {socket_address: {address: 127.0.0.2, port_value: 80}}}\n");
  const auto add = [&out](const std::string& field, const std::string& before, const std::string& after) {
    out.push_back({"ClusterLoadAssignment", "envoy.config.endpoint.v3.ClusterLoadAssignment", field, before, after});
  };
  add("lb_endpoints (one leaves)", two, one);
  add("lb_endpoints (one comes)", one, two);
  add("endpoint.address", one, hosts("127.0.0.3"));
  add("endpoint.hostname", one, oneHost(", hostname: h", ""));
  add("metadata of a host", one, oneHost("", "    metadata: {filter_metadata: {a: {b: c}}}\n"));
  add("health_status", one, oneHost("", "    health_status: DRAINING\n"));
  add("load_balancing_weight", one, oneHost("", "    load_balancing_weight: 2\n"));
  add("locality", one, hosts("127.0.0.1", "", "  locality: {zone: z}\n"));
  add("policy", one, hosts("127.0.0.1", "", "", "policy: {overprovisioning_factor: 200}\n"));
  return out;
}

}  // namespace

std::vector<EffectSample> effectSamples() {
  std::vector<EffectSample> out;
  for (std::vector<EffectSample> group : {listenerSamples(), chainSamples(), udpSamples(), endpointSamples()}) {
    for (EffectSample& sample : group) out.push_back(std::move(sample));
  }
  return out;
}

std::vector<std::string> unsampledListenerFields() {
  return {"api_listener", "internal_listener", "access_log", "udp_listener_config"};
}

}  // namespace sluice::ctl
