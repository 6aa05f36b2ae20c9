#include "source/net/cidr.h"

#include <arpa/inet.h>
#include <endian.h>

#include <cstring>

namespace sluice::net {

IpBits IpBits::of(const Address& address) {
  if (address.family() == Address::Family::kIpv4) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address.sockaddrPointer());
    return {uint64_t{ntohl(v4->sin_addr.s_addr)} << 32, 0};
  }
  if (address.family() != Address::Family::kIpv6) return {};
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address.sockaddrPointer());
  uint64_t halves[2];
  memcpy(halves, &v6->sin6_addr, sizeof(halves));
  return {be64toh(halves[0]), be64toh(halves[1])};
}

IpBits IpBits::first(unsigned count) const {
  auto mask = [](unsigned bits) { return bits == 0 ? 0 : ~uint64_t{0} << (64 - bits); };
  return {high & mask(std::min(count, 64U)), low & mask(count > 64 ? count - 64 : 0)};
}

std::optional<Cidr> Cidr::make(std::string_view address, unsigned prefix_length) {
  const std::optional<Address> ip = Address::fromIp(address, 0);
  if (!ip || prefix_length > (ip->family() == Address::Family::kIpv4 ? 32U : 128U)) return std::nullopt;
  return Cidr(ip->family(), IpBits::of(*ip).first(prefix_length), prefix_length);
}

std::string Cidr::toString() const {
  uint8_t bytes[16];
  for (unsigned i = 0; i < 8; ++i) {
    bytes[i] = static_cast<uint8_t>(bits_.high >> (56 - 8 * i));
    bytes[8 + i] = static_cast<uint8_t>(bits_.low >> (56 - 8 * i));
  }
  char text[INET6_ADDRSTRLEN];
  inet_ntop(family_ == Address::Family::kIpv4 ? AF_INET : AF_INET6, bytes, text, sizeof(text));
  return std::string(text) + "/" + std::to_string(length_);
}

}  // namespace sluice::net
