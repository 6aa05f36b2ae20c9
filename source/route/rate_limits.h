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
#include "source/route/mutation.h"
#include "source/runtime/fraction.h"

namespace sluice::route {

// A value in metadata: what stands under a filter's name, and the way there.
struct MetadataPath {
  std::string filter;
  std::vector<std::string> path;
};

// A value by an extension. Called by workers; nullopt: there is none.
class RequestValue {
 public:
  virtual ~RequestValue() = default;
  virtual std::optional<std::string> get(const stream::FormatContext& context) const = 0;
};

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
    kDynamicMetadata,
    kRouteMetadata,
    kExtension,
  };
  Kind kind = Kind::kGenericKey;
  std::string key;
  std::string value;                   // kGenericKey and the matches, if there is no formatter
  std::string default_value;           // where there is no value, or an empty one; empty: none
  std::string header;                  // kHeader: lower case; may be a pseudo-header
  std::string parameter;               // kQuery: of the query
  bool skip_if_absent = false;         // kHeader, kQuery, kExtension, metadata
  bool expect_match = true;            // the matches: all of these match (or, of ranges, any), or not
  std::vector<HeaderMatcher> headers;  // kHeaderMatch
  std::vector<QueryMatcher> query;     // kQueryMatch
  std::vector<net::Cidr> ranges;       // kAddressMatch
  uint8_t v4_bits = 32;                // kMaskedAddress
  uint8_t v6_bits = 128;
  MetadataPath metadata;
  std::shared_ptr<const ValueFormatter> formatter = {};  // kGenericKey and the matches: makes the value
  std::shared_ptr<const RequestValue> source = {};       // kExtension
};

// A limit that the service applies instead of its own. (proto: RateLimit.Override.RateLimitOverride)
struct LimitOverride {
  uint32_t requests_per_unit = 0;
  int unit = 0;  // proto: type.v3.RateLimitUnit

  friend bool operator==(const LimitOverride&, const LimitOverride&) = default;
};

// Whether x-ratelimit-* headers tell of a limit.
enum class QuotaHeaders : uint8_t { kAsFilter, kOff, kOn };

inline constexpr uint64_t kMaxHitsAddend = 1'000'000'000;

struct RateLimit {
  uint32_t stage = 0;
  std::vector<RateLimitAction> actions;
  std::optional<uint64_t> hits_addend = {};                // what a request costs; nullopt: 1
  std::shared_ptr<const ValueFormatter> hits_format = {};  // instead: what this makes, if it is a number
  bool negative_hits = false;                              // they are given back
  bool at_end = false;                                     // told when the stream is over
  QuotaHeaders quota_headers = QuotaHeaders::kAsFilter;
  std::optional<LimitOverride> limit = {};
  MetadataPath limit_metadata = {};    // instead: what stands there; without a filter: nowhere
  bool has_disable_key = false;        // then:
  runtime::Fraction enabled = {1, 1};  // of the requests
};

using RateLimitList = std::vector<RateLimit>;

// Where a route keeps its limits among the settings of filters. No filter has this name.
inline constexpr std::string_view kRateLimitsSlot = "(rate limits)";

struct RouteRateLimits final : PerFilterConfig {
  RateLimitList of_route;
  std::shared_ptr<const RateLimitList> of_host;  // never null
  bool include_host = false;                     // the host's count although the route has some
};

// Whether the limits of the virtual host count.
enum class HostLimits : uint8_t { kIfRouteHasNone, kInclude, kIgnore };

}  // namespace sluice::route
