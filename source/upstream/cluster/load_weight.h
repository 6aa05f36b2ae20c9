// The weight that a host earns by the reports of its load, and since when it does.
//
// Any thread, without locks: a reader may see the weight of one report and the time of the next.
#pragma once

#include <atomic>
#include <limits>
#include <optional>

#include "source/event/timer.h"

namespace sluice::upstream::cluster {

class LoadWeight {
 public:
  // `weight`: more than 0. A host that was silent for `expiration` begins anew.
  void report(double weight, event::TimePoint now, event::Duration expiration) {
    const Ticks at = ticksOf(now);
    const Ticks last = last_.load(std::memory_order_relaxed);
    if (last == kNever || at - last >= expiration.count()) first_.store(at, std::memory_order_relaxed);
    weight_.store(weight, std::memory_order_relaxed);
    last_.store(at, std::memory_order_release);
  }

  // Not set: there was no report, the first one was not `blackout` ago yet, or the last one was `expiration` ago.
  std::optional<double> at(event::TimePoint now, event::Duration blackout, event::Duration expiration) const {
    const Ticks last = last_.load(std::memory_order_acquire);
    if (last == kNever) return std::nullopt;
    const Ticks until = ticksOf(now);
    if (until - last >= expiration.count()) return std::nullopt;
    if (until - first_.load(std::memory_order_relaxed) < blackout.count()) return std::nullopt;
    return weight_.load(std::memory_order_relaxed);
  }

 private:
  using Ticks = event::Duration::rep;
  static constexpr Ticks kNever = std::numeric_limits<Ticks>::min();

  static Ticks ticksOf(event::TimePoint time) { return time.time_since_epoch().count(); }

  std::atomic<double> weight_{0};
  std::atomic<Ticks> first_{kNever}, last_{kNever};
};

}  // namespace sluice::upstream::cluster
