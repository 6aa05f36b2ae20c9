// What a client gets of a stored answer. (RFC 9111 section 4.3.2, RFC 9211)
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/cache/stored_response.h"
#include "source/http/conditions.h"

namespace sluice::cache {

struct Answer {
  uint16_t status = 200;  // that of the stored one, 304, 206 or 416
  std::vector<std::pair<std::string, std::string>> headers;
  // Of the stored body.
  size_t begin = 0, end = 0;
};

// `cache_status` says what the cache has done ("hit"); its ttl is added. If-Match and If-Unmodified-Since are the
// origin's to judge.
Answer answerFrom(const StoredResponse& stored, const http::Conditions& conditions, Time now, http::Date wall_now,
                  std::string_view cache_status);

}  // namespace sluice::cache
