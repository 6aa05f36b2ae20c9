// The latest purges, so that an answer that was asked for before one of them is not stored after it. Thread: any.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <utility>

#include "source/cache/labels.h"

namespace sluice::cache {

class PurgeLog {
 public:
  static constexpr size_t kKept = 256;

  uint64_t count() const { return count_.load(std::memory_order_relaxed); }

  void add(Selector purge) {
    const std::lock_guard hold(lock_);
    if (latest_.size() == kKept) latest_.pop_front();
    latest_.push_back(std::move(purge));
    count_.fetch_add(1, std::memory_order_relaxed);
  }

  // Whether a purge behind the first `since` ones takes one of `labels`; so it does, too, if it is not known any more.
  bool tookAny(const Labels& labels, uint64_t since) const {
    if (count() == since) return false;
    const std::lock_guard hold(lock_);
    const uint64_t behind = count() - since;
    if (behind > latest_.size()) return true;
    return std::any_of(latest_.end() - static_cast<std::ptrdiff_t>(behind), latest_.end(),
                       [&labels](const Selector& purge) { return purge.takesAny(labels); });
  }

 private:
  mutable std::mutex lock_;
  std::deque<Selector> latest_;
  std::atomic<uint64_t> count_{0};
};

}  // namespace sluice::cache
