// What the filter says to a rate limit service and hears from it, without protobuf.
// (proto: envoy.service.ratelimit.v3.RateLimitRequest, RateLimitResponse)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/filter/header_changes.h"
#include "source/filter/rate_limits.h"
#include "source/stream/metadata.h"

namespace sluice::extensions::http_filters::ratelimit {

inline constexpr std::string_view kMethodPath = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";

using filter::Descriptor;

// Protobuf has no strings but UTF-8: in values each other byte becomes '!', so that nobody's limits vanish because of
// one.
std::string encodeQuestion(std::string_view domain, const std::vector<Descriptor>& descriptors);

// The limit that is nearest to its end, for x-ratelimit-* headers.
// (draft-polli-ratelimit-headers-03)
struct Quota {
  std::string limit;  // "10, 10;w=60"
  uint32_t remaining = 0;
  int64_t reset_seconds = 0;
};

// What the service says of one descriptor, in the order in which they were sent.
struct LimitStatus {
  bool over_limit = false;
  bool has_limit = false;          // then:
  uint32_t requests_per_unit = 0;  // of the limit
  uint32_t window_seconds = 0;     // 0: unknown
  std::string name;                // may be empty
  uint32_t remaining = 0;
  int64_t reset_seconds = 0;
};

struct Verdict {
  bool over_limit = false;
  filter::HeaderChanges request_headers;
  filter::HeaderChanges response_headers;
  std::string body;  // of a refusal
  std::vector<LimitStatus> statuses;
  stream::MetadataFields metadata;
};

// nullopt: it cannot be read, or says neither yes nor no.
std::optional<Verdict> decodeVerdict(std::string_view message);

// Of the statuses that `shown` has true for; nullopt: none of them has a limit.
std::optional<Quota> quotaOf(const std::vector<LimitStatus>& statuses, const std::vector<bool>& shown);

}  // namespace sluice::extensions::http_filters::ratelimit
