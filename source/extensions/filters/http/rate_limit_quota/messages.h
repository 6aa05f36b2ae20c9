// What the filter says to the service and hears from it, without protobuf.
// (proto: envoy.service.rate_limit_quota.v3.RateLimitQuotaUsageReports, RateLimitQuotaResponse)
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/extensions/filters/http/rate_limit_quota/bucket.h"
#include "source/extensions/filters/http/rate_limit_quota/strategy.h"

namespace envoy::type::v3 {
class RateLimitStrategy;
}

namespace sluice::extensions::http_filters::rate_limit_quota {

inline constexpr std::string_view kMethodPath =
    "/envoy.service.rate_limit_quota.v3.RateLimitQuotaService/StreamRateLimitQuotas";

// Of one bucket, since the last report.
struct Usage {
  const BucketId& id;
  std::chrono::nanoseconds elapsed;
  uint64_t allowed;
  uint64_t denied;
};

std::string encodeReports(std::string_view domain, const std::vector<Usage>& usages);

struct Assignment {
  Strategy strategy;
  std::optional<std::chrono::nanoseconds> time_to_live;  // nullopt: it has no end
};

struct BucketAction {
  BucketId id;
  std::optional<Assignment> assignment;  // nullopt: the service has forgotten the bucket
};

struct Actions {
  std::vector<BucketAction> actions;  // in order
  size_t unreadable = 0;              // those that were left out, or all in one
};

Actions decodeActions(std::string_view message);

// nullopt: it does not say in which time its requests are let through.
std::optional<Strategy> strategyOf(const ::envoy::type::v3::RateLimitStrategy& proto);

}  // namespace sluice::extensions::http_filters::rate_limit_quota
