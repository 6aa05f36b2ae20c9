// A text that is compared with a pattern. (proto: type.matcher.v3.StringMatcher)
//
// Regular expressions work on bytes (RE2 in Latin-1 mode): `.` matches every byte but a line feed, so a value with
// bytes over 0x7f cannot slip past a rule by being no UTF-8. Immutable, used by all workers.
#pragma once

#include <re2/re2.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sluice::match {

using Regex = std::shared_ptr<const re2::RE2>;

// Compiles a regular expression for matchers and rewrites; the error holds RE2's message.
absl::StatusOr<Regex> compileRegex(std::string_view pattern);

struct StringMatcher {
  enum class Kind : uint8_t { kExact, kPrefix, kSuffix, kContains, kRegex };

  Kind kind = Kind::kExact;
  bool ignore_case = false;  // not for kRegex
  std::string text;          // the pattern for kRegex
  Regex regex;               // kRegex only: the whole value has to match

  bool matches(std::string_view value) const;
};

}  // namespace sluice::match
