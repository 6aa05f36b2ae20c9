// What `cache-control` asks of a shared cache. (RFC 9111 section 5.2, RFC 5861)
//
// Directives are compared without regard to case, values may be quoted. What cannot be read, or says two things, counts
// as what stores and serves less.
#pragma once

#include <chrono>
#include <optional>

#include "source/http/headers.h"

namespace sluice::cache {

using std::chrono::seconds;

struct RequestDirectives {
  bool no_store = false;
  bool no_cache = false;  // by `pragma`, too, where there is no cache-control
  bool only_if_cached = false;
  std::optional<seconds> max_age, min_fresh;

  static RequestDirectives of(const http::HeaderList& headers);
};

struct ResponseDirectives {
  bool no_store = false;
  bool no_cache = false;    // with field names, too: the whole answer is validated
  bool is_private = false;  // likewise: none of it is stored
  bool is_public = false;
  bool must_revalidate = false;  // proxy-revalidate, too
  std::optional<seconds> max_age, s_maxage, stale_while_revalidate, stale_if_error;

  static ResponseDirectives of(const http::HeaderList& headers);
};

// A number of seconds, digits only; more than 2^31 is 2^31. (RFC 9111 section 1.2.2)
std::optional<seconds> deltaSeconds(std::string_view text);

}  // namespace sluice::cache
