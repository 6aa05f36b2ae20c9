// How many requests are let through, and what is left of that. (proto: envoy.type.v3.RateLimitStrategy)
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "source/base/token_bucket.h"

namespace sluice::extensions::http_filters::rate_limit_quota {

using TimePoint = base::TokenBucket::TimePoint;

struct Strategy {
  enum class Kind : uint8_t { kAll, kNone, kTokens };

  Kind kind = Kind::kAll;
  // kTokens
  uint32_t max_tokens = 0;
  uint32_t tokens_per_fill = 1;
  std::chrono::nanoseconds fill_interval{1};  // more than 0

  friend bool operator==(const Strategy&, const Strategy&) = default;
};

// Shared by all workers. Tokens come in steadily, those of time units as well.
class Limit {
 public:
  explicit Limit(const Strategy& strategy) : strategy_(strategy) {
    if (strategy.kind != Strategy::Kind::kTokens) return;
    tokens_ =
        std::make_unique<base::TokenBucket>(strategy.max_tokens, strategy.tokens_per_fill, strategy.fill_interval);
  }

  const Strategy& strategy() const { return strategy_; }
  // Takes a token if there are some to take.
  bool allow(TimePoint now) const { return tokens_ ? tokens_->take(now) : strategy_.kind == Strategy::Kind::kAll; }

 private:
  const Strategy strategy_;
  std::unique_ptr<base::TokenBucket> tokens_;  // kTokens
};

}  // namespace sluice::extensions::http_filters::rate_limit_quota
