// Durations as configurations and control planes write them, seconds and nanoseconds apart, as those of clocks.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace sluice::base {

// Saturates at what fits, some 292 years.
constexpr std::chrono::nanoseconds nanosecondsOf(int64_t seconds, int32_t nanos) {
  constexpr int64_t kMaxSeconds = INT64_MAX / 1'000'000'000 - 1;
  constexpr int32_t kMaxNanos = 999'999'999;
  return std::chrono::seconds(std::clamp(seconds, -kMaxSeconds, kMaxSeconds)) +
         std::chrono::nanoseconds(std::clamp(nanos, -kMaxNanos, kMaxNanos));
}

// Whole milliseconds, the rest cut off, as Envoy does. But what is more than 0 stays at least 1: 0 says "none" in many
// places. At most ten years either way, so that a deadline can always be computed.
constexpr std::chrono::milliseconds millisecondsOf(int64_t seconds, int32_t nanos) {
  constexpr std::chrono::milliseconds kMost = std::chrono::hours(10 * 365 * 24);
  const std::chrono::nanoseconds exact = nanosecondsOf(seconds, nanos);
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(exact);
  if (whole.count() == 0 && exact.count() > 0) return std::chrono::milliseconds(1);
  return std::clamp(whole, -kMost, kMost);
}

}  // namespace sluice::base
