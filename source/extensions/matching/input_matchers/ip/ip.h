// An address in one of some ranges. (proto: envoy.extensions.matching.input_matchers.ip.v3.Ip)
#pragma once

#include <vector>

#include "source/match/input.h"
#include "source/net/cidr.h"

namespace sluice::extensions::matching::input_matchers::ip {

class IpMatcher : public match::ValueMatcher {
 public:
  explicit IpMatcher(const std::vector<net::Cidr>& ranges) {
    for (const net::Cidr& range : ranges) ranges_.at(range) = true;
  }

  // False for what is no address.
  bool matches(const match::Value& value) const override {
    const std::optional<net::Address> address = match::addressOf(value);
    return address && ranges_.find(*address) != nullptr;
  }

 private:
  net::CidrMap<bool> ranges_;
};

}  // namespace sluice::extensions::matching::input_matchers::ip
