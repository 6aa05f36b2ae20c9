// What a route asks of a request besides its path. Immutable after the table is built; used by all workers.
#pragma once

#include <string_view>
#include <vector>

#include "source/http/headers.h"
#include "source/match/header.h"

namespace sluice::route {

using match::anyHeaderValue;
using match::compileRegex;
using match::HeaderMatcher;
using match::QueryMatcher;
using match::queryParameter;
using match::Regex;
using match::storedName;
using match::StringMatcher;

// A request as matchers see it. Borrowed for one lookup.
struct RequestView {
  const http::RequestHeaders& headers;
  std::string_view path;   // without the query
  std::string_view query;  // after the question mark; empty without one

  static RequestView of(const http::RequestHeaders& headers);
};

// All have to hold.
struct Conditions {
  std::vector<HeaderMatcher> headers;
  std::vector<QueryMatcher> query;

  bool empty() const { return headers.empty() && query.empty(); }
  bool hold(const RequestView& request) const;
};

}  // namespace sluice::route
