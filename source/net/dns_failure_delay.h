// When a name is asked for again whose lookups failed so many times in a row: a random part of an interval that
// doubles, at least half of it, so that names which failed together are not asked for together again. (proto:
// dns_failure_refresh_rate of clusters and DNS caches)
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "source/base/random.h"
#include "source/event/timer.h"

namespace sluice::net {

// `failures`: 1 or more. `base`: above 0. `most`: at least `base`, or else that.
inline event::Duration dnsFailureDelay(uint32_t failures, std::chrono::milliseconds base,
                                       std::chrono::milliseconds most, base::Random& random) {
  const uint32_t doublings = std::min(failures - 1, 20u);
  const auto full = std::min(base * (int64_t{1} << doublings), std::max(most, base));
  const std::chrono::microseconds half = std::chrono::microseconds(full) / 2;
  return half + std::chrono::microseconds(random.below(static_cast<uint64_t>(half.count()) + 1));
}

}  // namespace sluice::net
