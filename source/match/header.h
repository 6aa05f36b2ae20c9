// Headers and query parameters that are compared with a pattern, with Envoy's meaning.
// (proto: config.route.v3.HeaderMatcher, QueryParameterMatcher)
//
// A header that came in several lines matches if one of its lines does, each looked at apart, as since Envoy 1.39: no
// matcher sees the first value only, and none can be misled by what stands beside a value. A line with commas is one
// value. Cookies are the exception: HTTP/2 spreads one list of them over lines, so it is looked at as one ("; "). Of a
// repeated query parameter the first value counts, as in Envoy; names and values are compared as sent, nothing is
// decoded. Immutable, used by all workers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "source/http/headers.h"
#include "source/match/string.h"

namespace sluice::match {

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
  // Of an answer; ":status" is its only pseudo-header.
  bool matches(const http::ResponseHeaders& headers) const;
  bool matchesValue(std::string_view value) const;
  // True if exactly one value of the header can match: such routes are found by hash.
  bool isExact() const {
    return kind == Kind::kString && string.kind == StringMatcher::Kind::kExact && !string.ignore_case && !invert &&
           !treat_missing_header_as_empty;
  }

 private:
  template <typename Headers>
  bool matchesIn(const Headers& headers) const;
};

struct QueryMatcher {
  enum class Kind : uint8_t { kPresent, kString };

  std::string name;
  Kind kind = Kind::kPresent;
  bool present = true;
  StringMatcher string;

  bool matches(std::string_view query) const;
};

// Where requests keep a header: that of `host` is `:authority`. `lower` is in lower case.
std::string_view storedName(std::string_view lower);

// Calls `visit` with each value that matchers see, a pseudo-header's or those of a field's lines, until it returns
// true; returns whether it did.
template <typename Headers, typename Visit>
bool anyHeaderValue(const Headers& headers, std::string_view name, http::Name id, Visit visit) {
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

}  // namespace sluice::match
