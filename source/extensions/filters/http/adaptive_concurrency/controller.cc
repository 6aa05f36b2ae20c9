#include "source/extensions/filters/http/adaptive_concurrency/controller.h"

#include <algorithm>
#include <cmath>

namespace sluice::extensions::http_filters::adaptive_concurrency {
namespace {

using std::chrono::nanoseconds;

// Not so far that a sum of two of them could overflow.
Controller::TimePoint later(Controller::TimePoint now, nanoseconds delay) {
  return now + std::min<nanoseconds>(delay, std::chrono::hours(24 * 365 * 100));
}

}  // namespace

// The right to change what is there, of one thread at once; who does not get it goes on without.
class Controller::Turn {
 public:
  explicit Turn(Controller& controller)
      : taken_(controller.taken_), mine_(!taken_.exchange(true, std::memory_order_acquire)) {}
  ~Turn() {
    if (mine_) taken_.store(false, std::memory_order_release);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  explicit operator bool() const { return mine_; }

 private:
  std::atomic<bool>& taken_;
  const bool mine_;
};

Controller::Controller(const Rules& rules)
    : rules_(rules), limit_(std::max(rules.min_limit, std::min(rules.max_limit, rules.measure_limit))) {
  if (rules_.measure_interval.count() == 0) {
    shown_.best_us = rules_.fixed_best.count();
  } else {
    beginMeasuring(TimePoint::min());
  }
}

bool Controller::admit(TimePoint now) {
  advance(now);
  return limit_.tryAcquire();
}

void Controller::complete(TimePoint start, TimePoint now, uint64_t random) {
  limit_.release();
  if (start.time_since_epoch().count() >= epoch_.load(std::memory_order_relaxed)) latencies_.add(now - start);
  if (!measuring()) return advance(now);
  if (latencies_.count() < rules_.measure_count) return;
  if (const Turn turn(*this); turn && measuring()) endMeasuring(now, random);
}

void Controller::advance(TimePoint now) {
  if (now.time_since_epoch().count() < due_.load(std::memory_order_relaxed)) return;
  const Turn turn(*this);
  if (!turn || measuring()) return;
  if (now >= measure_at_) return beginMeasuring(now);
  if (now >= update_at_) update(now);
  plan();
}

// During a measurement only answers change anything.
void Controller::beginMeasuring(TimePoint now) {
  latencies_.take(0);
  epoch_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  low_intervals_ = 0;
  limit_before_ = limit_.limit();
  if (!rules_.measure_at_limit) limit_.setLimit(rules_.measure_limit);
  due_.store(INT64_MAX, std::memory_order_relaxed);
  measuring_.store(true, std::memory_order_relaxed);
}

void Controller::endMeasuring(TimePoint now, uint64_t random) {
  // None: somebody else has ended another measurement since.
  const auto best = latencies_.take(rules_.percentile);
  if (!best) return;
  shown_.best_us.store(best->count(), std::memory_order_relaxed);
  limit_.setLimit(limit_before_);
  const double chance = static_cast<double>(random % 10'000) / 10'000;
  const auto interval = static_cast<double>(rules_.measure_interval.count()) * (1 + rules_.jitter * chance);
  measure_at_ = later(now, nanoseconds(static_cast<int64_t>(std::min(interval, 9e18))));
  update_at_ = later(now, rules_.update_interval);
  measuring_.store(false, std::memory_order_relaxed);
  plan();
}

void Controller::update(TimePoint now) {
  update_at_ = later(now, rules_.update_interval);
  const auto latency = latencies_.take(rules_.percentile);
  if (!latency) return;
  shown_.latency_us.store(latency->count(), std::memory_order_relaxed);
  const auto best = static_cast<double>(shown_.best_us.load(std::memory_order_relaxed));
  const uint32_t next = limitFor(best, static_cast<double>(latency->count()));
  limit_.setLimit(next);
  low_intervals_ = next == rules_.min_limit ? low_intervals_ + 1 : 0;
  // The best latency is perhaps not what it was.
  if (low_intervals_ >= kLowIntervals && rules_.measure_interval.count() != 0) measure_at_ = now;
}

uint32_t Controller::limitFor(double best, double latency) {
  const double gradient = std::clamp(best * (1 + rules_.buffer) / latency, 0.5, 2.0);
  const double scaled = gradient * limit_.limit();
  const double headroom = std::sqrt(scaled);
  shown_.gradient.store(static_cast<uint32_t>(gradient * 1000), std::memory_order_relaxed);
  shown_.headroom.store(static_cast<uint32_t>(headroom), std::memory_order_relaxed);
  return std::max(rules_.min_limit, static_cast<uint32_t>(std::min<double>(rules_.max_limit, scaled + headroom)));
}

void Controller::plan() {
  due_.store(std::min(update_at_, measure_at_).time_since_epoch().count(), std::memory_order_relaxed);
}

}  // namespace sluice::extensions::http_filters::adaptive_concurrency
