// Latencies, counted by size, of which a percentile is taken. Any thread, without a lock.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace sluice::extensions::http_filters::adaptive_concurrency {

// Buckets from 1 us to 71 min, sixteen to each power of two; what is longer counts as that. A percentile is
// interpolated inside its bucket.
class Latencies {
 public:
  void add(std::chrono::nanoseconds latency);
  uint32_t count() const { return count_.load(std::memory_order_relaxed); }
  // The latency that this share (0 to 1) of them does not exceed, at least 1 us, and forgets all; nullopt if there is
  // none. By one thread at once; what is added meanwhile counts now or the next time.
  std::optional<std::chrono::microseconds> take(double share);

 private:
  static constexpr uint32_t kPerOctave = 16;
  static constexpr size_t kBuckets = kPerOctave * 29;  // 2^32 us

  static size_t bucketOf(uint32_t microseconds);
  // Of the smallest value of a bucket, and of the one behind it.
  static double boundOf(size_t bucket);

  std::array<std::atomic<uint32_t>, kBuckets> buckets_{};
  std::atomic<uint32_t> count_{0};
};

}  // namespace sluice::extensions::http_filters::adaptive_concurrency
