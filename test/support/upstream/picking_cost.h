// What it costs a policy to pick hosts.
#pragma once

#include <catch2/catch.hpp>
#include <cstdint>
#include <vector>

#include "test/support/allocations/allocations.h"
#include "test/support/upstream/picking.h"

namespace sluice::upstream::lb {

// Of many picks, each of which starts a request, of hosts of one weight and of several.
inline void checkThatPickingAllocatesNothing(const LbPolicy& policy) {
  const bool equal = GENERATE(true, false);
  Picking picking(policy, hostsOfWeights(equal ? std::vector<uint32_t>(50, 1) : std::vector<uint32_t>{1, 2, 3, 4, 5}));
  const uint64_t before = testing::allocations();

  for (int i = 0; i < 1000; ++i) picking.hosts().requestStarted(picking.pick());

  const uint64_t after = testing::allocations();
  CHECK(after == before);
}

}  // namespace sluice::upstream::lb
