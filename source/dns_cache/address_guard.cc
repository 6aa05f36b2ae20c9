#include "source/dns_cache/address_guard.h"

#include <optional>
#include <string_view>

namespace sluice::dns_cache {
namespace {

using net::Address;
using net::Cidr;
using net::IpBits;

struct Range {
  std::string_view first;
  unsigned length;
};

// What is not of the public Internet.
constexpr Range kInternalV4[] = {
    {"0.0.0.0", 8},         // this network; 0.0.0.0 connects to this machine
    {"10.0.0.0", 8},        // private (RFC 1918)
    {"100.64.0.0", 10},     // shared by carriers (RFC 6598); metadata services
    {"127.0.0.0", 8},       // loopback
    {"168.63.129.16", 32},  // a public number, but the host of an Azure machine answers to it
    {"169.254.0.0", 16},    // link-local (RFC 3927); metadata services
    {"172.16.0.0", 12},     // private
    {"192.0.0.0", 24},      // protocol assignments (RFC 6890); metadata services
    {"192.0.2.0", 24},      // documentation (RFC 5737)
    {"192.88.99.0", 24},    // relays of 6to4 (RFC 7526)
    {"192.168.0.0", 16},    // private
    {"198.18.0.0", 15},     // benchmarks (RFC 2544)
    {"198.51.100.0", 24},   // documentation
    {"203.0.113.0", 24},    // documentation
    {"224.0.0.0", 4},       // multicast
    {"240.0.0.0", 4},       // reserved, broadcast
};
// Of IPv6 only global unicast (2000::/3) is public, but for these.
constexpr Range kInternalV6[] = {
    {"2001::", 23},      // protocol assignments, Teredo among them (RFC 2928)
    {"2001:db8::", 32},  // documentation (RFC 3849)
    {"3fff::", 20},      // documentation (RFC 9637)
};

template <size_t N>
std::vector<Cidr> rangesOf(const Range (&table)[N]) {
  std::vector<Cidr> out;
  for (const auto& [first, length] : table) out.push_back(*Cidr::make(first, length));
  return out;
}

bool isPublicV4(const Address& address) {
  static const std::vector<Cidr> ranges = rangesOf(kInternalV4);
  return !anyContains(ranges, address);
}

Address v4Of(uint64_t bits) {
  const uint8_t bytes[4] = {static_cast<uint8_t>(bits >> 24), static_cast<uint8_t>(bits >> 16),
                            static_cast<uint8_t>(bits >> 8), static_cast<uint8_t>(bits)};
  return Address::fromIpv4Bytes(bytes, 0);
}

// ::ffff:0:0/96: the kernel connects to the IPv4 address.
std::optional<Address> mappedV4(const IpBits& bits) {
  if (bits.high != 0 || bits.low >> 32 != 0xffff) return std::nullopt;
  return v4Of(bits.low);
}

// Of NAT64 (64:ff9b::/96, RFC 6052) and 6to4 (2002::/16, RFC 3056): somebody on the way connects to it.
std::optional<Address> translatedV4(const IpBits& bits) {
  if (bits.high == 0x0064ff9b00000000 && bits.low >> 32 == 0) return v4Of(bits.low);
  if (bits.high >> 48 == 0x2002) return v4Of(bits.high >> 16);
  return std::nullopt;
}

bool isPublicV6(const Address& address) {
  static const std::vector<Cidr> ranges = rangesOf(kInternalV6);
  return IpBits::of(address).high >> 61 == 1 && !anyContains(ranges, address);
}

// An address, and what somebody on the way makes of it.
struct Meaning {
  Address address;
  std::optional<Address> translated;  // IPv4

  static Meaning of(const Address& given) {
    if (given.family() != Address::Family::kIpv6) return {given, std::nullopt};
    const IpBits bits = IpBits::of(given);
    if (const std::optional<Address> mapped = mappedV4(bits)) return {*mapped, std::nullopt};
    return {given, translatedV4(bits)};
  }
  bool isIn(const std::vector<Cidr>& ranges) const {
    return anyContains(ranges, address) || (translated && anyContains(ranges, *translated));
  }
  bool isPublic() const {
    if (translated) return isPublicV4(*translated);
    return address.family() == Address::Family::kIpv4 ? isPublicV4(address) : isPublicV6(address);
  }
};

}  // namespace

AddressGuard::Verdict AddressGuard::check(const Address& address) const {
  if (!address.isIp()) return Verdict::kInternal;
  const Meaning meaning = Meaning::of(address);
  // Where the filter names what may pass, an address has to be named as it is written.
  const bool filtered = filter_.invert ? !anyContains(filter_.ranges, meaning.address) : meaning.isIn(filter_.ranges);
  if (!filter_.ranges.empty() && filtered) return Verdict::kFiltered;
  return meaning.isPublic() || anyContains(allowed_, meaning.address) ? Verdict::kAllowed : Verdict::kInternal;
}

}  // namespace sluice::dns_cache
