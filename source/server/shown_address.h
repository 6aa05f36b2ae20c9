// An address as pages and reports show it.
#pragma once

#include "envoy/config/core/v3/address.pb.h"
#include "source/net/address.h"

namespace sluice::server {

inline void showAddress(const net::Address& address, envoy::config::core::v3::Address& out) {
  if (address.isUnix()) {
    out.mutable_pipe()->set_path(address.toString());
    return;
  }
  if (address.isListener()) {
    auto& internal = *out.mutable_envoy_internal_address();
    internal.set_server_listener_name(std::string(address.listenerName()));
    internal.set_endpoint_id(std::string(address.listenerEndpoint()));
    return;
  }
  out.mutable_socket_address()->set_address(address.ip());
  out.mutable_socket_address()->set_port_value(address.port());
}

}  // namespace sluice::server
