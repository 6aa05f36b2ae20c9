// How much of something the process may have at once, whichever of its threads: connections, requests.
//
// One relaxed atomic on a cache line of its own. The limit is never exceeded, not even for a moment, and nobody is
// refused unless it is truly reached. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace sluice::base {

class alignas(64) SharedLimit {
 public:
  explicit SharedLimit(uint32_t limit = 0) : limit_(limit) {}
  SharedLimit(const SharedLimit&) = delete;
  SharedLimit& operator=(const SharedLimit&) = delete;

  // Takes one unit; false when the limit is reached. Every true needs one release().
  [[nodiscard]] bool tryAcquire() { return tryAcquire(limit()); }
  // The same below another limit.
  [[nodiscard]] bool tryAcquire(uint32_t limit) {
    uint32_t used = used_.load(std::memory_order_relaxed);
    do {
      if (used >= limit) return false;
    } while (!used_.compare_exchange_weak(used, used + 1, std::memory_order_relaxed));
    return true;
  }
  // Takes one unit whatever the limit, for what must happen anyway.
  void acquire() { used_.fetch_add(1, std::memory_order_relaxed); }
  void release() { used_.fetch_sub(1, std::memory_order_relaxed); }

  uint32_t used() const { return used_.load(std::memory_order_relaxed); }
  uint32_t limit() const { return limit_.load(std::memory_order_relaxed); }
  // A lower limit cuts nothing that runs: it refuses until enough was released.
  void setLimit(uint32_t limit) { limit_.store(limit, std::memory_order_relaxed); }

 private:
  std::atomic<uint32_t> used_{0};
  std::atomic<uint32_t> limit_;
};

// A unit of a limit that outlives it, given back when destroyed; or nothing.
class LimitUnit {
 public:
  LimitUnit() = default;
  LimitUnit(LimitUnit&& other) noexcept : limit_(std::exchange(other.limit_, nullptr)) {}
  LimitUnit& operator=(LimitUnit&& other) noexcept {
    std::swap(limit_, other.limit_);
    return *this;
  }
  ~LimitUnit() {
    if (limit_ != nullptr) limit_->release();
  }

  // A unit of `limit`, which takes the place of what this was; null is no limit. False: it is reached, nothing changed.
  [[nodiscard]] bool take(SharedLimit* limit) {
    if (limit != nullptr && !limit->tryAcquire()) return false;
    LimitUnit taken;
    taken.limit_ = limit;
    std::swap(limit_, taken.limit_);
    return true;
  }

 private:
  SharedLimit* limit_ = nullptr;
};

}  // namespace sluice::base
