// What the rate limit service is asked about requests of a route (proto: config.route.v3.RateLimit).
//
// A limit describes a request by pairs, one for each of its actions. Immutable, shared by all workers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/net/cidr.h"
#include "source/route/filter_slots.h"
#include "source/route/matchers.h"

namespace sluice::route {

struct RateLimitAction {
  enum class Kind : uint8_t {
    kGenericKey,
    kSourceCluster,
    kDestinationCluster,
    kRemoteAddress,
    kHeader,
    kHeaderMatch,
    kMaskedAddress,
    kAddressMatch,
    kQuery,
    kQueryMatch,
  };
  Kind kind = Kind::kGenericKey;
  std::string key;
  std::string value;                   // kGenericKey and the matches
  std::string header;                  // kHeader: lower case; may be a pseudo-header
  std::string parameter;               // kQuery: of the query
  bool skip_if_absent = false;         // kHeader, kQuery
  bool expect_match = true;            // the matches: all of these match (or, of ranges, any), or not
  std::vector<HeaderMatcher> headers;  // kHeaderMatch
  std::vector<QueryMatcher> query;     // kQueryMatch
  std::vector<net::Cidr> ranges;       // kAddressMatch
  uint8_t v4_bits = 32;                // kMaskedAddress
  uint8_t v6_bits = 128;
};

struct RateLimit {
  uint32_t stage = 0;
  std::vector<RateLimitAction> actions;
  std::optional<uint64_t> hits_addend;  // what a request costs; nullopt: 1
};

using RateLimitList = std::vector<RateLimit>;

// Where a route keeps its limits among the settings of filters. No filter has this name.
inline constexpr std::string_view kRateLimitsSlot = "(rate limits)";

struct RouteRateLimits : PerFilterConfig {
  RateLimitList of_route;
  std::shared_ptr<const RateLimitList> of_host;  // never null
  bool include_host = false;                     // the host's count although the route has some
};

}  // namespace sluice::route
