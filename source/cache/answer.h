// What a client gets of a stored answer. (RFC 9110 sections 13 and 14, RFC 9211)
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/cache/stored_response.h"
#include "source/http/headers.h"

namespace sluice::cache {

// What a request asks of the answer's state; empty where it does not. Text of the stream's arena.
struct Conditions {
  std::string_view none_match;
  std::string_view modified_since;
  std::string_view range;  // of GET
  std::string_view if_range;

  static Conditions of(const http::RequestHeaders& request);
  bool empty() const { return none_match.empty() && modified_since.empty() && range.empty(); }
};

struct Answer {
  uint16_t status = 200;  // that of the stored one, 304, 206 or 416
  std::vector<std::pair<std::string, std::string>> headers;
  // Of the stored body.
  size_t begin = 0, end = 0;
};

// `cache_status` says what the cache has done ("hit"); its ttl is added.
Answer answerFrom(const StoredResponse& stored, const Conditions& conditions, Time now, http::Date wall_now,
                  std::string_view cache_status);

}  // namespace sluice::cache
