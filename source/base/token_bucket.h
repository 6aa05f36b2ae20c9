// A token bucket shared by all workers.
//
// Whoever comes first after time has passed brings the tokens in; everyone takes one with a compare-and-swap. Never
// more than max_tokens plus what the time has brought are given out, whatever the interleaving. All memory orders are
// relaxed: nothing else is published through it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace sluice::base {

class alignas(64) TokenBucket {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Full at first. `fill_interval` is more than 0.
  TokenBucket(uint32_t max_tokens, uint32_t tokens_per_fill, std::chrono::nanoseconds fill_interval)
      : tokens_(max_tokens), max_tokens_(max_tokens), tokens_per_fill_(tokens_per_fill), interval_(fill_interval) {}

  // True if there was a token, which is gone then. `now` may be a little behind that of other workers.
  bool take(TimePoint now) { return take(now, 1); }
  // All of `count`, or none.
  bool take(TimePoint now, uint64_t count) {
    fill(now.time_since_epoch().count());
    const auto wanted = static_cast<int64_t>(count < INT64_MAX ? count : INT64_MAX);
    int64_t tokens = tokens_.load(std::memory_order_relaxed);
    while (tokens >= wanted) {
      if (tokens_.compare_exchange_weak(tokens, tokens - wanted, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  // Puts tokens back, as many as there is room for.
  void give(TimePoint now, uint64_t count) {
    fill(now.time_since_epoch().count());
    add(static_cast<int64_t>(count < static_cast<uint64_t>(max_tokens_) ? count : max_tokens_));
  }

  uint32_t maxTokens() const { return static_cast<uint32_t>(max_tokens_); }
  // As of the last call with a time.
  uint32_t remaining() const { return static_cast<uint32_t>(tokens_.load(std::memory_order_relaxed)); }
  bool isFull(TimePoint now) {
    fill(now.time_since_epoch().count());
    return tokens_.load(std::memory_order_relaxed) >= max_tokens_;
  }
  // Until there is a token; 0: there is one.
  std::chrono::nanoseconds untilNext(TimePoint now) const {
    if (remaining() > 0) return {};
    const int64_t each = (interval_.count() + tokens_per_fill_ - 1) / tokens_per_fill_;
    const int64_t filled = filled_until_.load(std::memory_order_relaxed);
    const int64_t next = (filled == kUnset ? now.time_since_epoch().count() : filled) + each;
    return std::chrono::nanoseconds(next > now.time_since_epoch().count() ? next - now.time_since_epoch().count() : 0);
  }

 private:
  static constexpr int64_t kUnset = INT64_MIN;

  void fill(int64_t now) {
    int64_t filled = filled_until_.load(std::memory_order_relaxed);
    if (filled == kUnset) {
      filled_until_.compare_exchange_strong(filled, now, std::memory_order_relaxed);
      return;
    }
    if (now <= filled) return;
    const __int128 interval = interval_.count();
    const __int128 due = static_cast<__int128>(now - filled) * tokens_per_fill_ / interval;
    if (due == 0) return;
    // The time that these tokens took, rounded up so that rounding gives nothing away; of a full bucket all of it.
    const bool full = due >= max_tokens_;
    const int64_t until =
        full ? now : filled + static_cast<int64_t>((due * interval + tokens_per_fill_ - 1) / tokens_per_fill_);
    if (!filled_until_.compare_exchange_strong(filled, until, std::memory_order_relaxed))
      return;  // another one does it
    add(full ? max_tokens_ : static_cast<int64_t>(due));
  }

  void add(int64_t added) {
    int64_t tokens = tokens_.load(std::memory_order_relaxed);
    while (!tokens_.compare_exchange_weak(tokens, tokens + added < max_tokens_ ? tokens + added : max_tokens_,
                                          std::memory_order_relaxed)) {
    }
  }

  std::atomic<int64_t> tokens_;
  std::atomic<int64_t> filled_until_{kUnset};  // nanoseconds of the steady clock
  const int64_t max_tokens_;
  const int64_t tokens_per_fill_;
  const std::chrono::nanoseconds interval_;
};
static_assert(sizeof(TokenBucket) == 64);

}  // namespace sluice::base
