// Options of sockets, for listeners and for connections to hosts. Thread: main. Run after validate(); errors go to
// `context`.
#pragma once

#include <vector>

#include "envoy/config/core/v3/address.pb.h"
#include "envoy/config/core/v3/socket_option.pb.h"
#include "source/config/errors.h"
#include "source/net/socket.h"

namespace sluice::config {

// For what both families have under numbers of their own: on.
void addForIp(std::vector<net::SocketOption>& out, int v4_name, int v6_name, const char* description);
// Only of sockets that are no Unix sockets.
void addForTcp(std::vector<net::SocketOption>& out, const net::SocketOption& option);
void addKeepalive(const envoy::config::core::v3::TcpKeepalive& keepalive, std::vector<net::SocketOption>& out);
void addSocketOption(const envoy::config::core::v3::SocketOption& proto, const Context& context,
                     std::vector<net::SocketOption>& out);

}  // namespace sluice::config
