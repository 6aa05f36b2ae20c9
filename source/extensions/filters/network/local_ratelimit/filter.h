// Closes connections that come faster than a token bucket allows; the bucket is the whole process's.
// (proto: envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit)
#pragma once

#include <memory>
#include <utility>

#include "source/base/token_bucket.h"
#include "source/filter/network_filter.h"

namespace sluice::extensions::network_filters::local_ratelimit {

class LocalRateLimit : public filter::NetworkFilterFactory {
 public:
  // `bucket`: of all generations of the filter.
  LocalRateLimit(std::shared_ptr<base::TokenBucket> bucket, observability::Counter rate_limited)
      : bucket_(std::move(bucket)), rate_limited_(rate_limited) {}

  filter::NetworkResult admit(filter::NetworkStream& stream) const override {
    if (bucket_->take(stream.now())) return filter::Next{};
    stream.cells().add(rate_limited_);
    return filter::Close{"local_rate_limited"};
  }

 private:
  const std::shared_ptr<base::TokenBucket> bucket_;
  const observability::Counter rate_limited_;
};

}  // namespace sluice::extensions::network_filters::local_ratelimit
