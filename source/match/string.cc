#include "source/match/string.h"

#include <algorithm>

#include "absl/status/status.h"
#include "source/base/ascii.h"
#include "source/base/text.h"

namespace sluice::match {

absl::StatusOr<Regex> compileRegex(std::string_view pattern) {
  re2::RE2::Options options(re2::RE2::Latin1);
  options.set_log_errors(false);
  auto regex = std::make_shared<const re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!regex->ok()) {
    return absl::InvalidArgumentError(
        base::strCat("\"", pattern, "\" is no regular expression that RE2 takes: ", regex->error()));
  }
  return regex;
}

bool StringMatcher::matches(std::string_view value) const {
  switch (kind) {
    case Kind::kExact:
      return ignore_case ? base::equalsIgnoringCase(value, text) : value == text;
    case Kind::kPrefix: {
      if (value.size() < text.size()) return false;
      const std::string_view head = value.substr(0, text.size());
      return ignore_case ? base::equalsIgnoringCase(head, text) : head == text;
    }
    case Kind::kSuffix: {
      if (value.size() < text.size()) return false;
      const std::string_view tail = value.substr(value.size() - text.size());
      return ignore_case ? base::equalsIgnoringCase(tail, text) : tail == text;
    }
    case Kind::kContains:
      return ignore_case ? base::containsIgnoringCase(value, text) : value.find(text) != std::string_view::npos;
    case Kind::kRegex:
      return re2::RE2::FullMatch(re2::StringPiece(value.data(), value.size()), *regex);
  }
  return false;
}

}  // namespace sluice::match
