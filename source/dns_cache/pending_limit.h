// How many may wait for answers at one time, in the whole process. (proto: DnsCacheCircuitBreakers)
//
// Its stats are exact: each worker adds what it changes, and whoever takes or gives back the last place says so. Any
// thread, with its own cells.
#pragma once

#include <atomic>
#include <cstdint>

#include "source/observability/stats.h"

namespace sluice::dns_cache {

class PendingLimit {
 public:
  struct Stats {
    observability::Gauge open, remaining;  // (stats: circuit_breakers.rq_pending_open, rq_pending_remaining)
  };

  // `cells`: main's.
  PendingLimit(uint32_t limit, Stats stats, observability::StatsCells& cells) : limit_(limit), stats_(stats) {
    cells.add(stats_.remaining, limit);
    if (limit == 0) cells.add(stats_.open);
  }
  PendingLimit(const PendingLimit&) = delete;
  PendingLimit& operator=(const PendingLimit&) = delete;

  // Every true needs one release().
  [[nodiscard]] bool tryTake(observability::StatsCells& cells) {
    uint32_t used = used_.load(std::memory_order_relaxed);
    do {
      if (used >= limit_) return false;
    } while (!used_.compare_exchange_weak(used, used + 1, std::memory_order_relaxed));
    cells.sub(stats_.remaining);
    if (used + 1 == limit_) cells.add(stats_.open);
    return true;
  }
  void release(observability::StatsCells& cells) {
    cells.add(stats_.remaining);
    if (used_.fetch_sub(1, std::memory_order_relaxed) == limit_) cells.sub(stats_.open);
  }

 private:
  const uint32_t limit_;
  const Stats stats_;
  std::atomic<uint32_t> used_{0};
};

}  // namespace sluice::dns_cache
