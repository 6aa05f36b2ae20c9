// The names of filter state objects that mean something to the proxy, and what they are made of: text, of which some
// names take only certain ones. Immutable; any thread.
// (proto: FilterStateValue.factory_key; Envoy: well known filter state objects)
#pragma once

#include <string>
#include <string_view>

namespace sluice::stream {

inline constexpr std::string_view kOriginalLocalState = "envoy.filters.listener.original_dst.local_ip";
inline constexpr std::string_view kOriginalRemoteState = "envoy.filters.listener.original_dst.remote_ip";
inline constexpr std::string_view kTcpClusterState = "envoy.tcp_proxy.cluster";
inline constexpr std::string_view kTcpIdleTimeoutState = "envoy.tcp_proxy.per_connection_idle_timeout_ms";
inline constexpr std::string_view kNoTunnelState = "envoy.tcp_proxy.disable_tunneling";
inline constexpr std::string_view kUpstreamProtocolsState = "envoy.network.application_protocols";
inline constexpr std::string_view kDynamicHostState = "envoy.upstream.dynamic_host";
inline constexpr std::string_view kDynamicPortState = "envoy.upstream.dynamic_port";
inline constexpr std::string_view kUpstreamNameState = "envoy.network.upstream_server_name";

struct ObjectType {
  std::string_view name;
  bool (*takes)(std::string_view text);
  // Who reads it: only connections whose terminal filter is tcp_proxy, or that come to a listener. A request has
  // nothing of it unless it shares the object with an internal listener.
  bool of_connections = false;
};

// Null: no such type.
const ObjectType* findObjectType(std::string_view name);
// All names, for errors: "a, b, c".
std::string objectTypeNames();

}  // namespace sluice::stream
