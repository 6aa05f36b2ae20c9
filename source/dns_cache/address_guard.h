// Which addresses a name that strangers chose may stand for.
//
// Whoever may name the host of a request may name one of ours: this machine, its network, the metadata service of its
// cloud. So only addresses of the public Internet pass (IANA's registries of special-purpose addresses, RFC 6890),
// unless the configuration allows more, range by range. What is inside an address counts: an IPv4 address in an IPv6
// one (mapped, NAT64, 6to4) is judged as IPv4. Immutable; any thread.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "source/net/address.h"
#include "source/net/cidr.h"

namespace sluice::dns_cache {

class AddressGuard {
 public:
  enum class Verdict : uint8_t {
    kAllowed,
    kInternal,  // not of the public Internet, and no range allows it
    kFiltered,  // the configuration takes it out of answers
  };
  // (proto: DnsCacheConfig.resolved_address_filter)
  struct Filter {
    std::vector<net::Cidr> ranges;
    bool invert = false;  // addresses in none of the ranges are taken out
  };

  AddressGuard() = default;
  // `allowed`: internal addresses that may be reached. (proto: InternalDnsResolver.allowed_ranges)
  AddressGuard(std::vector<net::Cidr> allowed, Filter filter)
      : allowed_(std::move(allowed)), filter_(std::move(filter)) {}

  Verdict check(const net::Address& address) const;

 private:
  std::vector<net::Cidr> allowed_;
  Filter filter_;  // without ranges: nothing is taken out
};

}  // namespace sluice::dns_cache
