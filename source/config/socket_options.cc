#include "source/config/socket_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice::config {
namespace {

using Proto = envoy::config::core::v3::SocketOption;
using net::SocketOption;
using Family = net::Address::Family;

void add(std::vector<SocketOption>& out, SocketOption option, Family only) {
  option.only = only;
  out.push_back(std::move(option));
}

SocketOption::When whenOf(const Proto& proto) {
  switch (proto.state()) {
    case Proto::STATE_BOUND:
      return SocketOption::When::kBeforeListen;
    case Proto::STATE_LISTENING:
      return SocketOption::When::kListening;
    default:
      return SocketOption::When::kBeforeBind;
  }
}

}  // namespace

void addForIp(std::vector<SocketOption>& out, int v4_name, int v6_name, const char* description) {
  add(out, SocketOption::ofInt(IPPROTO_IP, v4_name, 1, description), Family::kIpv4);
  add(out, SocketOption::ofInt(IPPROTO_IPV6, v6_name, 1, description), Family::kIpv6);
}

void addForTcp(std::vector<SocketOption>& out, const SocketOption& option) {
  add(out, option, Family::kIpv4);
  add(out, option, Family::kIpv6);
}

void addKeepalive(const envoy::config::core::v3::TcpKeepalive& keepalive, std::vector<SocketOption>& out) {
  addForTcp(out, SocketOption::ofInt(SOL_SOCKET, SO_KEEPALIVE, 1, "tcp_keepalive"));
  auto addIf = [&out](bool set, int name, uint32_t value, const char* description) {
    if (set) addForTcp(out, SocketOption::ofInt(IPPROTO_TCP, name, static_cast<int>(value), description));
  };
  addIf(keepalive.has_keepalive_probes(), TCP_KEEPCNT, keepalive.keepalive_probes().value(), "keepalive_probes");
  addIf(keepalive.has_keepalive_time(), TCP_KEEPIDLE, keepalive.keepalive_time().value(), "keepalive_time");
  addIf(keepalive.has_keepalive_interval(), TCP_KEEPINTVL, keepalive.keepalive_interval().value(),
        "keepalive_interval");
}

void addSocketOption(const Proto& proto, const Context& context, std::vector<SocketOption>& out) {
  auto fits = [](int64_t number) {
    return number >= std::numeric_limits<int>::min() && number <= std::numeric_limits<int>::max();
  };
  for (const auto& [field, number] :
       {std::pair{"level", proto.level()}, {"name", proto.name()}, {"int_value", proto.int_value()}}) {
    if (!fits(number)) context.child(field).error(absl::StrCat(number, " does not fit an int of this platform"));
  }
  SocketOption option = SocketOption::ofInt(static_cast<int>(proto.level()), static_cast<int>(proto.name()),
                                            static_cast<int>(proto.int_value()), proto.description());
  if (proto.has_buf_value()) option.value = proto.buf_value();
  option.when = whenOf(proto);
  out.push_back(std::move(option));
}

}  // namespace sluice::config
