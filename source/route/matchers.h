// What a route asks of a request besides its path. Immutable after the table is built; used by all workers.
//
// When the route of a request is chosen first, its head has its canonical form and the connection has done its
// handshake; no HTTP filter has run, so there is no dynamic metadata and no filter state. A filter that clears the
// route has it chosen anew, with the head and what filters left as they are then; the random number stays.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "source/base/arena.h"
#include "source/http/headers.h"
#include "source/match/cookie.h"
#include "source/match/header.h"
#include "source/match/metadata.h"
#include "source/runtime/fraction.h"

namespace sluice::stream {
struct StreamInfo;
}

namespace sluice::route {

using match::anyHeaderValue;
using match::compileRegex;
using match::CookieMatcher;
using match::FilterStateMatcher;
using match::HeaderMatcher;
using match::MetadataMatcher;
using match::QueryMatcher;
using match::queryParameter;
using match::Regex;
using match::storedName;
using match::StringMatcher;

// What a lookup sees besides the request's head. Borrowed for one lookup.
struct Surroundings {
  uint64_t random = 0;                       // one number for all that chance decides about a request
  const stream::StreamInfo* info = nullptr;  // null: not known, as that of a plain connection that no filter saw
};

// A request as matchers see it. Borrowed for one lookup.
struct RequestView {
  const http::RequestHeaders& headers;
  std::string_view path;   // without the query
  std::string_view query;  // after the question mark; empty without one
  Surroundings around = {};

  static RequestView of(const http::RequestHeaders& headers, Surroundings around = {});
};

// The path without what follows a ";" in each of its segments (RFC 3986 section 3.3): `/a;v=1/b` is `/a/b`. Text of the
// arena, or `path` itself.
std::string_view withoutParameters(std::string_view path, base::Arena& arena);
// How many bytes of `path` hold the first `size` of those that withoutParameters() leaves.
size_t sizeWithParameters(std::string_view path, size_t size);

// What a route asks of more than the head. All have to hold.
struct StreamConditions {
  std::optional<runtime::Fraction> fraction;
  // (proto: RouteMatch.TlsContextMatchOptions) Without TLS nothing is presented or validated.
  std::optional<bool> certificate_presented, certificate_validated;
  std::vector<MetadataMatcher> metadata;
  std::vector<FilterStateMatcher> filter_state;

  bool empty() const {
    return !fraction && !certificate_presented && !certificate_validated && metadata.empty() && filter_state.empty();
  }
  bool hold(const Surroundings& around) const;
};

// All have to hold.
struct Conditions {
  std::vector<HeaderMatcher> headers;
  std::vector<QueryMatcher> query;
  std::vector<CookieMatcher> cookies;
  std::shared_ptr<const StreamConditions> stream;  // null: none
  bool grpc = false;                               // a gRPC request

  bool empty() const { return headers.empty() && query.empty() && cookies.empty() && stream == nullptr && !grpc; }
  bool hold(const RequestView& request) const;
};

}  // namespace sluice::route
