// The wait before the next attempt: full jitter over an interval that doubles. Main thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>

namespace sluice::xds {

class Backoff {
 public:
  // core.v3.BackoffStrategy's defaults for xDS streams.
  struct Options {
    std::chrono::milliseconds base{500};
    std::chrono::milliseconds max{30000};
  };

  // `random` gives any 64 bits.
  Backoff(Options options, std::function<uint64_t()> random)
      : options_(options), random_(std::move(random)), interval_(options.base) {}

  std::chrono::milliseconds next() {
    const uint64_t span = static_cast<uint64_t>(std::max<int64_t>(interval_.count(), 1));
    const std::chrono::milliseconds wait(static_cast<int64_t>(random_() % span));
    interval_ = std::min(interval_ * 2, options_.max);
    return wait;
  }
  void reset() { interval_ = options_.base; }

 private:
  const Options options_;
  const std::function<uint64_t()> random_;
  std::chrono::milliseconds interval_;
};

}  // namespace sluice::xds
