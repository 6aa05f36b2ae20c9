// The buckets of a filter, a route or a connection: one for all requests, and others for requests of which rate limits
// say certain entries.
//
// Used by all workers. Buckets are atomic; only descriptors without a value, whose buckets are found by what clients
// send, have a lock, and only requests that match such a one take it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "source/base/token_bucket.h"
#include "source/extensions/filters/http/local_ratelimit/slot_table.h"
#include "source/filter/rate_limits.h"
#include "source/worker/local.h"

namespace sluice::extensions::http_filters::local_ratelimit {

using base::TokenBucket;
using filter::Descriptor;

struct BucketConfig {
  uint32_t max_tokens = 0;
  uint32_t tokens_per_fill = 1;
  std::chrono::nanoseconds fill_interval{1};  // more than 0

  std::unique_ptr<TokenBucket> make() const {
    return std::make_unique<TokenBucket>(max_tokens, tokens_per_fill, fill_interval);
  }
};

struct DescriptorConfig {
  std::vector<std::pair<std::string, std::string>> entries;  // an empty value: any, each with a bucket of its own
  BucketConfig bucket;
  bool shadow = false;  // takes tokens and refuses nobody

  bool isDynamic() const;
  bool matches(const Descriptor& descriptor) const;
};

// The values of a descriptor in one text, by which its bucket is found. Clients choose them: of long ones it is a hash,
// so that a table of buckets holds so many short keys at most.
inline constexpr size_t kLongestKey = 256;
std::string bucketKey(const Descriptor& descriptor);

struct LimiterConfig {
  std::optional<BucketConfig> bucket;  // nullopt: none for all
  std::vector<DescriptorConfig> descriptors = {};
  bool always_take_from_bucket = true;  // also for requests with a descriptor
  uint32_t max_dynamic = 20;            // buckets of one descriptor at once, at least 1
};

class Limiter {
 public:
  explicit Limiter(LimiterConfig config);

  struct Verdict {
    bool allowed = true;
    // The one that refused, or the one with the fewest tokens left; null: none was asked. Lives as long as the limiter.
    const TokenBucket* bucket = nullptr;
    route::QuotaHeaders quota_headers = route::QuotaHeaders::kAsFilter;
  };
  Verdict take(const std::vector<Descriptor>& descriptors, TokenBucket::TimePoint now);
  // All buckets are as they were at first.
  bool isFull(TokenBucket::TimePoint now);
  bool hasDescriptors() const { return !descriptors_.empty(); }

 private:
  struct Buckets {
    DescriptorConfig config;
    std::unique_ptr<TokenBucket> fixed;  // null: by value
    std::mutex mutex;
    SlotTable<std::string, TokenBucket> by_value;  // under the mutex

    Buckets(DescriptorConfig config, uint32_t max_dynamic);
    TokenBucket& of(const Descriptor& descriptor, TokenBucket::TimePoint now);
    bool isFull(TokenBucket::TimePoint now);
  };

  std::unique_ptr<TokenBucket> bucket_;                // null: none for all
  std::vector<std::unique_ptr<Buckets>> descriptors_;  // those that fill slowly first
  const bool always_take_from_bucket_;
};

// A limiter for each connection, on the worker that has it. Thread: get() on workers.
class ConnectionLimiters {
 public:
  // More connections than this on a worker that have taken something share limiters.
  static constexpr size_t kMaxConnections = 65'536;

  ConnectionLimiters(LimiterConfig config, const worker::LocalSlots& slots);

  Limiter& of(worker::WorkerServices& worker, uint64_t connection_id, TokenBucket::TimePoint now) const;

 private:
  struct Table : SlotTable<uint64_t, Limiter> {
    Table() : SlotTable(kMaxConnections) {}
  };

  const LimiterConfig config_;
  const worker::WorkerLocal<Table> tables_;
};

}  // namespace sluice::extensions::http_filters::local_ratelimit
