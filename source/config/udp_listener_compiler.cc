#include "source/config/udp_listener_compiler.h"

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "source/config/registry.h"
#include "source/config/udp_filter_factory.h"

namespace sluice::config {
namespace {

using Proto = envoy::config::listener::v3::Listener;

void refuseConnections(const Proto& listener, const Context& context) {
  auto refuse = [&context](bool is_set, std::string_view field, std::string_view why) {
    if (is_set) context.child(field).error(why);
  };
  constexpr std::string_view kNoConnections =
      "UDP has no connections; remove it, or write protocol: TCP in the listener's address";
  refuse(listener.filter_chains_size() > 0, "filter_chains",
         "a UDP listener has no filter chains; put a UDP filter such as envoy.filters.udp_listener.udp_proxy into "
         "listener_filters, or write protocol: TCP in the listener's address");
  refuse(listener.has_default_filter_chain(), "default_filter_chain",
         "a UDP listener has no filter chains; remove it, or write protocol: TCP in the listener's address");
  refuse(listener.has_filter_chain_matcher(), "filter_chain_matcher",
         "a UDP listener has no filter chains; remove it, or write protocol: TCP in the listener's address");
  refuse(listener.use_original_dst().value(), "use_original_dst", kNoConnections);
  refuse(listener.has_connection_balance_config(), "connection_balance_config", kNoConnections);
  refuse(listener.has_tcp_fast_open_queue_length(), "tcp_fast_open_queue_length", kNoConnections);
  refuse(listener.has_tcp_keepalive(), "tcp_keepalive", kNoConnections);
  refuse(listener.enable_mptcp(), "enable_mptcp", kNoConnections);
  refuse(listener.has_tcp_backlog_size(), "tcp_backlog_size", kNoConnections);
  refuse(listener.has_max_connections_to_accept_per_socket_event(), "max_connections_to_accept_per_socket_event",
         kNoConnections);
  refuse(listener.has_listener_filters_timeout(), "listener_filters_timeout", kNoConnections);
  refuse(listener.continue_on_listener_filters_timeout(), "continue_on_listener_filters_timeout", kNoConnections);
  refuse(listener.has_per_connection_buffer_limit_bytes(), "per_connection_buffer_limit_bytes", kNoConnections);
  refuse(listener.ignore_global_conn_limit(), "ignore_global_conn_limit", kNoConnections);
  refuse(listener.transparent().value(), "transparent", "is not supported for UDP; remove it");
  refuse(listener.has_bind_to_port() && !listener.bind_to_port().value(), "bind_to_port",
         "no other listener hands datagrams over; remove it");
  refuse(listener.has_enable_reuse_port() && !listener.enable_reuse_port().value(), "enable_reuse_port",
         "workers that share one socket would each get some of a client's datagrams; remove it");
}

uint64_t hashOf(const google::protobuf::Any& config) {
  return absl::HashOf(config.type_url(), config.value());
}

}  // namespace

bool isUdp(const Proto& listener) {
  return listener.address().socket_address().protocol() == envoy::config::core::v3::SocketAddress::UDP;
}

listener::UdpSettings compileUdpListener(const Proto& listener, const FactoryContext& factory_context) {
  const Context& context = factory_context.at;
  refuseConnections(listener, context);
  listener::UdpSettings out;
  const auto& socket = listener.udp_listener_config().downstream_socket_config();
  if (socket.has_max_rx_datagram_size()) out.max_rx_datagram_size = socket.max_rx_datagram_size().value();
  out.prefer_gro = socket.prefer_gro().value();
  if (listener.listener_filters_size() != 1) {
    context.child("listener_filters")
        .error(absl::StrCat("has ", listener.listener_filters_size(),
                            " filters; a UDP listener needs one that serves its datagrams, such as "
                            "envoy.filters.udp_listener.udp_proxy"));
    return out;
  }
  const auto& filter = listener.listener_filters(0);
  const Context at = context.child("listener_filters", 0);
  if (filter.has_filter_disabled()) {
    at.child("filter_disabled").error("a UDP listener serves nothing without its filter; remove it");
  }
  if (filter.has_config_discovery()) {
    at.child("config_discovery").error("cannot bring the filter of a UDP listener; write its typed_config");
    return out;
  }
  const Context config = at.child("typed_config");
  if (const auto match = factory_context.services.registry.udp_filters.resolve(filter.typed_config(), config)) {
    out.filter = match.factory->compile(*match.config, factory_context.moved(config));
    out.filter_hash = hashOf(filter.typed_config());
  }
  return out;
}

void refuseUdpSettings(const Proto& listener, const Context& context, const Services& services) {
  if (listener.has_udp_listener_config()) {
    context.child("udp_listener_config")
        .error("the listener's address is TCP; write protocol: UDP there, or remove it");
  }
  for (int i = 0; i < listener.listener_filters_size(); ++i) {
    const auto& any = listener.listener_filters(i).typed_config();
    if (services.registry.udp_filters.find(typeNameOf(any.type_url())) == nullptr) continue;
    context.child("listener_filters", i)
        .error("is a filter of datagrams, but the listener's address is TCP; write protocol: UDP there");
  }
}

}  // namespace sluice::config
