#include "source/config/socket_compiler.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

#include "source/config/socket_options.h"

namespace sluice::config {
namespace {

using Listener = envoy::config::listener::v3::Listener;
using net::SocketOption;

}  // namespace

std::vector<SocketOption> compileSocketOptions(const Listener& listener, const Context& context) {
  std::vector<SocketOption> out;
  if (listener.transparent().value()) addForIp(out, IP_TRANSPARENT, IPV6_TRANSPARENT, "transparent");
  if (listener.freebind().value()) addForIp(out, IP_FREEBIND, IPV6_FREEBIND, "freebind");
  if (listener.has_tcp_fast_open_queue_length()) {
    const int length = static_cast<int>(listener.tcp_fast_open_queue_length().value());
    SocketOption option = SocketOption::ofInt(IPPROTO_TCP, TCP_FASTOPEN, length, "tcp_fast_open_queue_length");
    option.when = SocketOption::When::kListening;
    addForTcp(out, option);
  }
  if (listener.has_tcp_keepalive()) addKeepalive(listener.tcp_keepalive(), out);
  for (int i = 0; i < listener.socket_options_size(); ++i) {
    addSocketOption(listener.socket_options(i), context.child("socket_options", i), out);
  }
  return out;
}

}  // namespace sluice::config
