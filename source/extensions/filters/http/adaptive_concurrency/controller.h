// How many requests may be on their way at once: the limit follows how much slower answers come than they could.
//
// From time to time the best latency is measured: few requests are let through, and the percentile of theirs is it.
// Otherwise, once an interval, the limit is multiplied by (best latency + buffer) / (latency now), between 1/2 and 2,
// and its own root is added so that it grows until answers become slower. (proto: GradientControllerConfig)
//
// One for the process. Any thread, without a lock: a request pays for two relaxed atomics and a look at when something
// is due; whoever finds that makes the limit anew, alone, and nobody waits for it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "source/base/shared_limit.h"
#include "source/extensions/filters/http/adaptive_concurrency/latencies.h"

namespace sluice::extensions::http_filters::adaptive_concurrency {

struct Rules {
  double percentile = 0.5;                   // a share, 0 to 1
  std::chrono::nanoseconds update_interval;  // more than 0
  uint32_t max_limit = 1000;
  uint32_t min_limit = 3;  // counts more than max_limit
  // Of measurements; 0: `fixed_best` holds instead.
  std::chrono::nanoseconds measure_interval{};
  std::chrono::microseconds fixed_best{};
  double jitter = 0.15;           // up to this share of measure_interval is added
  uint32_t measure_count = 50;    // answers
  uint32_t measure_limit = 3;     // while it is measured
  bool measure_at_limit = false;  // measure_limit has no effect: the limit stays as it is
  double buffer = 0.25;           // a share of the best latency
};

class Controller {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit Controller(const Rules& rules);

  // Whether one more request may begin; every true needs one complete() or cancel().
  [[nodiscard]] bool admit(TimePoint now);
  // The answer of a request that began at `start` is complete. `random` decides the jitter.
  void complete(TimePoint start, TimePoint now, uint64_t random);
  // The request ended without.
  void cancel() { limit_.release(); }

  uint32_t limit() const { return limit_.limit(); }
  uint32_t running() const { return limit_.used(); }
  bool measuring() const { return measuring_.load(std::memory_order_relaxed); }
  // What the last change was made of, for those who watch.
  struct Shown {
    std::atomic<uint32_t> gradient{0};  // in thousandths
    std::atomic<uint32_t> headroom{0};
    std::atomic<int64_t> best_us{0};
    std::atomic<int64_t> latency_us{0};
  };
  const Shown& shown() const { return shown_; }

 private:
  static constexpr int kLowIntervals = 5;

  class Turn;

  void advance(TimePoint now);
  void beginMeasuring(TimePoint now);
  void endMeasuring(TimePoint now, uint64_t random);
  void update(TimePoint now);
  uint32_t limitFor(double best, double latency);
  void plan();

  const Rules rules_;
  base::SharedLimit limit_;
  Latencies latencies_;
  Shown shown_;
  std::atomic<bool> measuring_{false};
  std::atomic<TimePoint::rep> epoch_{INT64_MIN};  // requests that began before it do not count
  std::atomic<TimePoint::rep> due_{INT64_MIN};    // when there is something to do
  std::atomic<bool> taken_{false};                // by a Turn
  // Of whoever has the turn.
  TimePoint update_at_{};
  TimePoint measure_at_ = TimePoint::max();
  uint32_t limit_before_ = 0;  // the measurement
  int low_intervals_ = 0;      // in a row with the lowest limit
};

}  // namespace sluice::extensions::http_filters::adaptive_concurrency
