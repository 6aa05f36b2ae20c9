#include "source/upstream/pool/overflow.h"

#include <string_view>

#include "absl/strings/str_cat.h"

namespace sluice::upstream::pool {
namespace {

using cluster::Resource;
using cluster::RoutingPriority;
using cluster::Thresholds;

struct Limit {
  std::string_view field;
  uint32_t by_default;
};

Limit limitOf(Resource resource) {
  static constexpr Thresholds kDefaults;
  switch (resource) {
    case Resource::kConnections:
      return {"max_connections", kDefaults.max_connections};
    case Resource::kPendingRequests:
      return {"max_pending_requests", kDefaults.max_pending_requests};
    case Resource::kRequests:
      return {"max_requests", kDefaults.max_requests};
    case Resource::kRetries:
      break;
  }
  return {"max_retries", kDefaults.max_retries};
}

std::string text(const PoolContext& context, std::string_view list, RoutingPriority priority, std::string_view field,
                 uint32_t value, std::string_view remark) {
  const std::string_view high = priority == RoutingPriority::kHigh ? " (priority HIGH)" : "";
  return absl::StrCat("cluster '", context.config->name, "' is at its limit: circuit_breakers.", std::string(list), ".",
                      std::string(field), std::string(high), " is ", value, std::string(remark));
}

}  // namespace

std::string overflowText(const PoolContext& context, Resource resource, RoutingPriority priority) {
  const Limit limit = limitOf(resource);
  const uint32_t value = context.breakers->limit(resource, priority);
  return text(context, "thresholds", priority, limit.field, value,
              value == limit.by_default ? ", the default; set a higher one if the hosts can take more" : "");
}

std::string hostOverflowText(const PoolContext& context, RoutingPriority priority) {
  return text(context, "per_host_thresholds", priority, "max_connections",
              context.config->host_connections[static_cast<size_t>(priority)], " for each host");
}

}  // namespace sluice::upstream::pool
