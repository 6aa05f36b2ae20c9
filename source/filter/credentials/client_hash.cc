#include "source/filter/credentials/client_hash.h"

#include "absl/hash/hash.h"
#include "source/base/host_port.h"
#include "source/net/cidr.h"

namespace sluice::filter {
namespace {

constexpr unsigned kClientBits = 64;  // of IPv6

}  // namespace

uint64_t clientHash(std::string_view address) {
  const std::string_view host = base::isAddressWithoutPort(address) ? address : base::splitHostPort(address).bareHost();
  if (host.find(':') != std::string_view::npos) {
    if (const auto range = net::Cidr::make(host, kClientBits)) return absl::HashOf(range->toString());
  }
  return absl::HashOf(host);
}

}  // namespace sluice::filter
