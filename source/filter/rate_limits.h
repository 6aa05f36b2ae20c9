// Descriptors: what the rate limits of routes and filters say about a request, for whoever limits it.
// (proto: config.route.v3.RateLimit, extensions.common.ratelimit.v3.RateLimitDescriptor)
//
// Thread: the worker of the stream.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/filter/context.h"
#include "source/route/rate_limits.h"

namespace sluice::filter {

struct Descriptor {
  std::vector<std::pair<std::string, std::string>> entries;
  std::optional<uint64_t> hits_addend = {};  // nullopt: 1
  bool negative_hits = false;                // they are given back
  std::optional<route::LimitOverride> limit = {};
  route::QuotaHeaders quota_headers = route::QuotaHeaders::kAsFilter;
};

// Which limits count, and for whom.
struct LimitChoice {
  uint32_t stage = 0;
  bool at_end = false;                        // those that wait for the end of the stream, or the others
  bool any_disable_key = false;               // a limit with a disable_key is off, whatever its share
  const route::RateLimitList* own = nullptr;  // instead of those of the route; null or empty: there are none
  route::HostLimits host_limits = route::HostLimits::kIfRouteHasNone;
  route::FilterSlot slot = {};  // where the route keeps its limits
  std::string_view node_cluster = {};
};

// May be empty; values may be bytes of any kind.
std::vector<Descriptor> describe(const LimitChoice& choice, Context& context);

}  // namespace sluice::filter
