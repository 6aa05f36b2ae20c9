// Ranges of IP addresses, and maps from ranges to values by the longest prefix that holds an address. Values; any
// thread may read. (proto: envoy.config.core.v3.CidrRange)
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/net/address.h"

namespace sluice::net {

// The bits of an IP address, first bit highest; an IPv4 address is the first 32 of them.
struct IpBits {
  uint64_t high = 0, low = 0;

  // Zero for what is no IP address.
  static IpBits of(const Address& address);
  // The first `count` bits, the rest zero.
  IpBits first(unsigned count) const;

  friend bool operator==(const IpBits&, const IpBits&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const IpBits& bits) {
    return H::combine(std::move(state), bits.high, bits.low);
  }
};

// Addresses of one family that share their first bits.
class Cidr {
 public:
  // `address` without port; bits behind the prefix are dropped. nullopt: no IP address, or a prefix that is too long.
  static std::optional<Cidr> make(std::string_view address, unsigned prefix_length);
  // All addresses of the family.
  static Cidr all(Address::Family family) { return Cidr(family, {}, 0); }

  bool contains(const Address& address) const {
    return address.family() == family_ && IpBits::of(address).first(length_) == bits_;
  }
  // "10.0.0.0/8", "2001:db8::/32".
  std::string toString() const;
  Address::Family family() const { return family_; }
  const IpBits& bits() const { return bits_; }
  unsigned length() const { return length_; }

 private:
  Cidr(Address::Family family, IpBits bits, unsigned length) : family_(family), bits_(bits), length_(length) {}

  Address::Family family_;
  IpBits bits_;
  unsigned length_;
};

inline bool anyContains(const std::vector<Cidr>& ranges, const Address& address) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const Cidr& range) { return range.contains(address); });
}

// One value for each range. A look-up costs one hash probe for each prefix length that is in use.
template <typename T>
class CidrMap {
 public:
  // The value of exactly this range, made if there is none. Stays where it is.
  T& at(const Cidr& range) {
    Family& family = families_[range.family() == Address::Family::kIpv6];
    std::unique_ptr<T>& value = family.values[{range.bits(), range.length()}];
    if (!value) {
      value = std::make_unique<T>();
      auto& lengths = family.lengths;
      const auto place = std::lower_bound(lengths.begin(), lengths.end(), range.length(), std::greater<>());
      if (place == lengths.end() || *place != range.length()) lengths.insert(place, range.length());
    }
    return *value;
  }

  // The value of the longest range that holds the address, or null. What is no IP address is only in the range of all
  // IPv4 addresses.
  const T* find(const Address& address) const {
    const T* found = nullptr;
    visit(address, [&found](const T& value) {
      found = &value;
      return true;
    });
    return found;
  }

  // Calls `visit` with the value of each range that holds the address, longest first, until it returns true.
  template <typename Visit>
  void visit(const Address& address, Visit visit) const {
    const Family& family = families_[address.family() == Address::Family::kIpv6];
    const IpBits bits = IpBits::of(address);
    for (const unsigned length : family.lengths) {
      if (length > 0 && !address.isIp()) continue;
      const auto found = family.values.find({bits.first(length), length});
      if (found != family.values.end() && visit(std::as_const(*found->second))) return;
    }
  }

 private:
  struct Family {
    std::vector<unsigned> lengths;  // longest first
    absl::flat_hash_map<std::pair<IpBits, unsigned>, std::unique_ptr<T>> values;
  };
  Family families_[2];  // IPv4, IPv6
};

}  // namespace sluice::net
