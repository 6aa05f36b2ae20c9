// Holds bytes to a rate: each piece is told how long it has to wait.
//
// Pieces go one behind the other at the rate; what nobody used is kept for `burst` only. Any thread: streams that share
// a rate share one of these.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace sluice::filter {

class Pace {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // `bytes_per_second` is more than 0.
  Pace(uint64_t bytes_per_second, std::chrono::nanoseconds burst) : rate_(bytes_per_second), burst_(burst) {}

  // Takes the place of `bytes` in the row; they may go when the time is over. 0: at once.
  std::chrono::nanoseconds take(uint64_t bytes, TimePoint now) {
    const int64_t at = now.time_since_epoch().count();
    const int64_t cost = costOf(bytes);
    int64_t due = due_.load(std::memory_order_relaxed);
    int64_t next = 0;
    do {
      next = std::max(due, at - burst_.count()) + cost;
    } while (!due_.compare_exchange_weak(due, next, std::memory_order_relaxed));
    return std::chrono::nanoseconds(std::max<int64_t>(0, next - at));
  }
  // Those bytes were to wait and will not go at all: whoever comes next comes so much earlier.
  void giveBack(uint64_t bytes) { due_.fetch_sub(costOf(bytes), std::memory_order_relaxed); }

 private:
  // At most a day: nothing waits longer, and no sum wraps.
  int64_t costOf(uint64_t bytes) const {
    constexpr __int128 kSecond = 1'000'000'000;
    return static_cast<int64_t>(std::min<__int128>(bytes * kSecond / rate_, 86'400 * kSecond));
  }

  const uint64_t rate_;
  const std::chrono::nanoseconds burst_;
  std::atomic<int64_t> due_{INT64_MIN / 2};  // of the steady clock: when all that was taken has gone
};

}  // namespace sluice::filter
