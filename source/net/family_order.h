// In which order the addresses of one peer are tried: families take turns, so that one that leads nowhere costs one
// attempt. (RFC 8305, 4; proto: UpstreamConnectionOptions.HappyEyeballsConfig)
#pragma once

#include <cstdint>
#include <vector>

#include "source/net/address.h"

namespace sluice::net {

struct FamilyOrder {
  Address::Family first = Address::Family::kNone;  // kNone: that of the first address
  uint32_t first_count = 1;                        // so many of that family come before each one of another; 1 or more
};

// Each once; those of one family stay in their order.
std::vector<Address> inOrder(const std::vector<Address>& addresses, const FamilyOrder& order);

}  // namespace sluice::net
