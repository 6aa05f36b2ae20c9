// What a request wants of an answer: only if it has changed, or has not (RFC 9110 section 13), and which bytes of it
// (section 14). Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "source/http/date.h"
#include "source/http/headers.h"

namespace sluice::http {

// What would be sent.
struct Representation {
  std::string_view etag;         // with its quotes; W/ in front: it may have changed without changing this. Empty: none
  std::optional<Date> modified;  // nullopt: nobody knows
  uint64_t size = 0;
  bool modified_is_strong = false;  // it does not change twice in that second
};

// What the fields of a request say, in its arena; nullopt: they are not there.
struct Conditions {
  std::optional<std::string_view> match, unmodified_since, none_match, modified_since;
  std::optional<std::string_view> range, if_range;  // not of HEAD

  static Conditions of(const RequestHeaders& request);
};

enum class Verdict : uint8_t { kSend, kNotModified, kFailed };

Verdict evaluate(const Conditions& conditions, const Representation& whole, Date now);

struct Range {
  enum class Kind : uint8_t { kWhole, kPart, kUnsatisfiable };
  Kind kind = Kind::kWhole;
  // Of a part: bytes from `begin` to in front of `end`.
  uint64_t begin = 0;
  uint64_t end = 0;
};

// Several ranges, and what is no range, are the whole; so is all of it where If-Range says that it has changed.
Range rangeOf(const Conditions& conditions, const Representation& whole, Date now);

// By the weak comparison. (RFC 9110 section 8.8.3.2)
bool sameTag(std::string_view a, std::string_view b);

}  // namespace sluice::http
