// What a route asks of a request besides its path: header and query parameter matchers, with Envoy's meaning
// (proto: config.route.v3.HeaderMatcher, QueryParameterMatcher; type.matcher.v3.StringMatcher).
//
// A header that came more than once is seen by every matcher as one value, joined as RFC 9110 section 5.3 says (", ",
// cookies "; "): no matcher sees the first value only. Of a repeated query parameter the first value counts, as in
// Envoy; names and values are compared as sent, nothing is decoded.
//
// Regular expressions work on bytes (RE2 in Latin-1 mode): `.` matches every byte but a line feed, so a value with
// bytes over 0x7f cannot slip past a rule by being no UTF-8.
//
// Immutable after the table is built; used by all workers.
#pragma once

#include <re2/re2.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "source/http/headers.h"

namespace sluice::route {

using Regex = std::shared_ptr<const re2::RE2>;

// Compiles a regular expression for matchers and rewrites; the error holds RE2's message.
absl::StatusOr<Regex> compileRegex(std::string_view pattern);

// A request as matchers see it. Borrowed for one lookup.
struct RequestView {
  const http::RequestHeaders& headers;
  std::string_view path;   // without the query
  std::string_view query;  // after the question mark; empty without one

  static RequestView of(const http::RequestHeaders& headers);
};

struct StringMatcher {
  enum class Kind : uint8_t { kExact, kPrefix, kSuffix, kContains, kRegex };

  Kind kind = Kind::kExact;
  bool ignore_case = false;  // not for kRegex
  std::string text;          // the pattern for kRegex
  Regex regex;               // kRegex only: the whole value has to match

  bool matches(std::string_view value) const;
};

struct HeaderMatcher {
  enum class Kind : uint8_t { kPresent, kString, kRange };

  std::string name;  // lower case; may be a pseudo-header; "host" means ":authority"
  Kind kind = Kind::kPresent;
  bool present = true;  // kPresent: the header has to be there, or has to be absent
  bool invert = false;  // turns the result round, but a missing header never matches a value
  bool treat_missing_header_as_empty = false;
  StringMatcher string;                    // kString
  int64_t range_start = 0, range_end = 0;  // kRange: start <= value < end
  http::Name id = http::Name::kOther;      // of `name`; set when the table is built

  bool matches(const http::RequestHeaders& headers) const;
  // True if exactly one value of the header can match: such routes are found by hash.
  bool isExact() const {
    return kind == Kind::kString && string.kind == StringMatcher::Kind::kExact && !string.ignore_case && !invert &&
           !treat_missing_header_as_empty;
  }
};

struct QueryMatcher {
  enum class Kind : uint8_t { kPresent, kString };

  std::string name;
  Kind kind = Kind::kPresent;
  bool present = true;
  StringMatcher string;

  bool matches(std::string_view query) const;
};

// All have to hold.
struct Conditions {
  std::vector<HeaderMatcher> headers;
  std::vector<QueryMatcher> query;

  bool empty() const { return headers.empty() && query.empty(); }
  bool hold(const RequestView& request) const;
};

// The value matchers see: a pseudo-header, or all values of a field as one; nullopt if absent.
std::optional<std::string_view> headerValue(const http::RequestHeaders& headers, std::string_view name, http::Name id);

// The first value of a parameter as sent ("" for `a` and `a=`); nullopt if absent.
std::optional<std::string_view> queryParameter(std::string_view query, std::string_view name);

}  // namespace sluice::route
