// Closes connections that come faster than a token bucket allows; the bucket is the whole process's.
// (proto: envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit)
#pragma once

#include <memory>
#include <utility>

#include "source/base/token_bucket.h"
#include "source/filter/network.h"

namespace sluice::extensions::filters::network::local_ratelimit {

class LocalRateLimit : public filter::ConnectionFilter {
 public:
  // `bucket`: of all generations of the filter.
  LocalRateLimit(std::shared_ptr<base::TokenBucket> bucket, observability::Counter rate_limited)
      : bucket_(std::move(bucket)), rate_limited_(rate_limited) {}

  filter::ConnectionVerdict onConnection(filter::ConnectionFacts&, observability::StatsCells& cells,
                                         event::TimePoint now) const override {
    if (bucket_->take(now)) return {};
    cells.add(rate_limited_);
    return filter::ConnectionVerdict::close("local_rate_limited");
  }

 private:
  const std::shared_ptr<base::TokenBucket> bucket_;
  const observability::Counter rate_limited_;
};

}  // namespace sluice::extensions::filters::network::local_ratelimit
