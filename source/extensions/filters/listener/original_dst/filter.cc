#include "source/extensions/filters/listener/original_dst/filter.h"

#include <netinet/in.h>
#include <sys/socket.h>

namespace sluice::extensions::listener_filters::original_dst {
namespace {

// linux/netfilter_ipv4.h and linux/netfilter_ipv6/ip6_tables.h, which do not go together with netinet/in.h.
constexpr int kOriginalDestination = 80;

}  // namespace

net::Address originalDestination(int fd, net::Address::Family family) {
  sockaddr_in6 storage{};
  const bool v6 = family == net::Address::Family::kIpv6;
  // The kernel leaves the length as it is.
  socklen_t length = v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  if (getsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, kOriginalDestination, &storage, &length) != 0) return {};
  return net::Address::fromSockaddr(reinterpret_cast<const sockaddr*>(&storage), length);
}

}  // namespace sluice::extensions::listener_filters::original_dst
