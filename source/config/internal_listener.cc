#include "source/config/internal_listener.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice::config {
namespace {

using Proto = envoy::config::listener::v3::Listener;

void refuseSocketSettings(const Proto& listener, const Context& context) {
  const std::array<std::pair<const char*, bool>, 13> settings = {{
      {"additional_addresses", !listener.additional_addresses().empty()},
      {"udp_listener_config", listener.has_udp_listener_config()},
      {"use_original_dst", listener.use_original_dst().value()},
      {"transparent", listener.transparent().value()},
      {"freebind", listener.freebind().value()},
      {"bind_to_port", listener.has_bind_to_port()},
      {"socket_options", !listener.socket_options().empty()},
      {"tcp_fast_open_queue_length", listener.has_tcp_fast_open_queue_length()},
      {"tcp_backlog_size", listener.has_tcp_backlog_size()},
      {"tcp_keepalive", listener.has_tcp_keepalive()},
      {"enable_reuse_port", listener.has_enable_reuse_port()},
      {"enable_mptcp", listener.enable_mptcp()},
      {"max_connections_to_accept_per_socket_event", listener.has_max_connections_to_accept_per_socket_event()},
  }};
  for (const auto& [name, set] : settings) {
    if (set) context.child(name).error("is about sockets, which an internal listener does not have; remove it");
  }
}

}  // namespace

void compileInternalAddress(const Proto& listener, const Context& context, CompiledListener& compiled) {
  refuseSocketSettings(listener, context);
  if (listener.has_address()) {
    const Context at = context.child("address");
    if (!listener.address().has_envoy_internal_address()) {
      at.error("an internal listener has no address but its name; remove it");
    } else if (listener.address().envoy_internal_address().server_listener_name() != listener.name()) {
      at.child("envoy_internal_address")
          .child("server_listener_name")
          .error(absl::StrCat("is not the listener's name, \"", listener.name(), "\"; remove the address"));
    }
  }
  const auto address = net::Address::ofListener(listener.name());
  if (!address.ok()) return context.child("name").error(std::string(address.status().message()));
  compiled.internal = true;
  compiled.addresses.push_back(*address);
  compiled.stat_name =
      listener.stat_prefix().empty() ? absl::StrCat("envoy_internal_", listener.name()) : listener.stat_prefix();
}

}  // namespace sluice::config
