#include "source/filter/credentials/client_hash.h"

#include "absl/hash/hash.h"
#include "source/base/host_port.h"
#include "source/net/cidr.h"

namespace sluice::filter {
namespace {

constexpr unsigned kClientBits = 64;  // of IPv6

// ::ffff:0:0/96 and 64:ff9b::/96 (RFC 6052): each of their addresses is somebody else's, of IPv4.
bool holdsIpv4(const net::Cidr& range) {
  return range.bits().high == 0 || range.bits().high == uint64_t{0x0064ff9b} << 32;
}

}  // namespace

uint64_t clientHash(std::string_view address) {
  const std::string_view host = base::isAddressWithoutPort(address) ? address : base::splitHostPort(address).bareHost();
  if (host.find(':') != std::string_view::npos) {
    const auto range = net::Cidr::make(host, kClientBits);
    if (range && !holdsIpv4(*range)) return absl::HashOf(range->toString());
  }
  return absl::HashOf(host);
}

}  // namespace sluice::filter
