// What the filter says to a rate limit service and hears from it, without protobuf.
// (proto: envoy.service.ratelimit.v3.RateLimitRequest, RateLimitResponse)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/filter/header_changes.h"

namespace sluice::extensions::http_filters::ratelimit {

inline constexpr std::string_view kMethodPath = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";

struct Descriptor {
  std::vector<std::pair<std::string, std::string>> entries;
  std::optional<uint64_t> hits_addend;  // nullopt: 1
};

std::string encodeQuestion(std::string_view domain, const std::vector<Descriptor>& descriptors);

// The limit that is nearest to its end, for x-ratelimit-* headers.
// (draft-polli-ratelimit-headers-03)
struct Quota {
  std::string limit;  // "10, 10;w=60"
  uint32_t remaining = 0;
  int64_t reset_seconds = 0;
};

struct Verdict {
  bool over_limit = false;
  filter::HeaderChanges request_headers;
  filter::HeaderChanges response_headers;
  std::string body;  // of a refusal
  std::optional<Quota> quota;
};

// nullopt: it cannot be read, or says neither yes nor no.
std::optional<Verdict> decodeVerdict(std::string_view message);

}  // namespace sluice::extensions::http_filters::ratelimit
