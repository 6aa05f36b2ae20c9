#include "source/extensions/filters/http/adaptive_concurrency/latencies.h"

#include <algorithm>
#include <bit>

namespace sluice::extensions::http_filters::adaptive_concurrency {

using std::chrono::microseconds;

size_t Latencies::bucketOf(uint32_t value) {
  if (value < kPerOctave) return value;
  const auto octave = static_cast<uint32_t>(std::bit_width(value)) - 5;  // 16 to 31 are the first
  return kPerOctave * (octave + 1) + ((value >> octave) - kPerOctave);
}

double Latencies::boundOf(size_t bucket) {
  if (bucket < kPerOctave) return static_cast<double>(bucket);
  const size_t octave = bucket / kPerOctave - 1;
  return static_cast<double>((kPerOctave + bucket % kPerOctave) << octave);
}

void Latencies::add(std::chrono::nanoseconds latency) {
  const int64_t value = std::chrono::duration_cast<microseconds>(latency).count();
  const auto held = static_cast<uint32_t>(std::clamp<int64_t>(value, 0, UINT32_MAX));
  buckets_[bucketOf(held)].fetch_add(1, std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_relaxed);
}

std::optional<microseconds> Latencies::take(double share) {
  std::array<uint32_t, kBuckets> taken{};
  uint64_t total = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    if (buckets_[i].load(std::memory_order_relaxed) == 0) continue;
    taken[i] = buckets_[i].exchange(0, std::memory_order_relaxed);
    total += taken[i];
  }
  count_.store(0, std::memory_order_relaxed);
  if (total == 0) return std::nullopt;
  const double wanted = share * static_cast<double>(total);
  double below = 0;
  size_t bucket = 0;
  while (taken[bucket] == 0 || (below + taken[bucket] < wanted && below + taken[bucket] < static_cast<double>(total))) {
    below += taken[bucket++];
  }
  const double inside = std::clamp((wanted - below) / taken[bucket], 0.0, 1.0);
  const double low = boundOf(bucket);
  const double value = low + inside * (boundOf(bucket + 1) - low);
  return microseconds(std::max<int64_t>(1, static_cast<int64_t>(value)));
}

}  // namespace sluice::extensions::http_filters::adaptive_concurrency
