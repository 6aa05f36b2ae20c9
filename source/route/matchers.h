// What a route asks of a request besides its path: header and query parameter matchers, with Envoy's meaning
// (proto: config.route.v3.HeaderMatcher, QueryParameterMatcher; type.matcher.v3.StringMatcher).
//
// A header that came in several lines matches if one of its lines does, each looked at apart, as since Envoy 1.39: no
// matcher sees the first value only, and none can be misled by what stands beside a value. A line with commas is one
// value. Cookies are the exception: HTTP/2 spreads one list of them over lines, so it is looked at as one ("; "). Of a
// repeated query parameter the first value counts, as in Envoy; names and values are compared as sent, nothing is
// decoded.
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
  // Turns the result round: no line matches. A missing header never matches a value, inverted or not.
  bool invert = false;
  bool treat_missing_header_as_empty = false;
  StringMatcher string;                    // kString
  int64_t range_start = 0, range_end = 0;  // kRange: start <= value < end
  http::Name id = http::Name::kOther;      // of `name`; see setName()

  // Takes a name in lower case to what requests keep it under.
  void setName(std::string lower);
  bool matches(const http::RequestHeaders& headers) const;
  bool matchesValue(std::string_view value) const;
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

// Where requests keep a header: that of `host` is `:authority`. `lower` is in lower case.
std::string_view storedName(std::string_view lower);

// Calls `visit` with each value that matchers see, a pseudo-header's or those of a field's lines, until it returns
// true; returns whether it did.
template <typename Visit>
bool anyHeaderValue(const http::RequestHeaders& headers, std::string_view name, http::Name id, Visit visit) {
  if (id == http::Name::kOther && name.starts_with(':')) {
    const std::optional<std::string_view> value = headers.lookup(name);
    return value && visit(*value);
  }
  if (id != http::Name::kOther && !headers.has(id)) return false;
  if (id == http::Name::kCookie) return visit(*headers.getAll(name));
  for (const http::Field& field : headers) {
    if (field.id == id && (id != http::Name::kOther || field.name == name) && visit(field.value)) return true;
  }
  return false;
}

// The first value of a parameter as sent ("" for `a` and `a=`); nullopt if absent.
std::optional<std::string_view> queryParameter(std::string_view query, std::string_view name);

}  // namespace sluice::route
