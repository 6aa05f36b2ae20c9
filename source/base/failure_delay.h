// How long to wait for the next attempt at what has failed so many times in a row: a random part of an interval that
// doubles, at least half of it, so that what failed together is not tried together again.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "source/base/random.h"

namespace sluice::base {

// `failures`: 1 or more. `first`: above 0. `most`: at least `first`, or else that.
inline std::chrono::microseconds failureDelay(uint32_t failures, std::chrono::milliseconds first,
                                              std::chrono::milliseconds most, Random& random) {
  const uint32_t doublings = std::min(failures - 1, 20u);
  const auto full = std::min(first * (int64_t{1} << doublings), std::max(most, first));
  const std::chrono::microseconds half = std::chrono::microseconds(full) / 2;
  return half + std::chrono::microseconds(random.below(static_cast<uint64_t>(half.count()) + 1));
}

}  // namespace sluice::base
