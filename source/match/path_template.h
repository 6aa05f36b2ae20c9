// A path by its segments, as in "/users/{id}/files/**", and the new paths that are made of its variables.
// (proto: extensions.path.match.uri_template.v3, extensions.path.rewrite.uri_template.v3)
//
//   template = "/" / 1*("/" segment) ["/"]
//   segment  = "*" / "**" / *(text / variable)       ; variables of one segment have text between them
//   variable = "{" name ["=" part *("/" part)] "}"   ; without parts: "*"
//   part     = "*" / "**" / text
//   text     = 1*(ALPHA / DIGIT / one of -._~%!$&'()+,;:@=)
//   name     = ALPHA *(ALPHA / DIGIT / "_")          ; at most 16
//
// The last segment may also be "*" or "**" with text behind it ("/**.m3u8"). `*` takes the whole of one segment, which
// is not empty, `**` any number of bytes over any number of segments; no `*`, `**` or variable that is one of these
// stands behind a `**`. At most 5 variables, each name once. Bytes are compared as sent, with regard to case.
//
// `*` and `**` take any byte, where Envoy's leave out some that no URI has, such as `|`: what a rule is about does not
// slip past it by such a byte.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace sluice::match {

class PathTemplate {
 public:
  static constexpr size_t kMostVariables = 5;
  static constexpr size_t kLongestName = 16;

  // The error says which part is wrong and why.
  static absl::StatusOr<PathTemplate> parse(std::string_view text);

  // The expression (RE2) that all of a path has to match; group i + 1 is variables()[i].
  const std::string& pattern() const { return pattern_; }
  const std::vector<std::string>& variables() const { return variables_; }

  // The only path that matches; nullopt if there are others.
  std::optional<std::string_view> onlyPath() const;
  // What a path has to begin with, where that is all it has to; nullopt if there is more.
  std::optional<std::string_view> onlyPrefix() const;

  // A rewrite, such as "/files/{id}", in RE2's form of a substitution for pattern(). The error says which part is
  // wrong.
  absl::StatusOr<std::string> substitution(std::string_view rewrite) const;

 private:
  class Parser;

  std::string pattern_;
  std::vector<std::string> variables_;
  std::string literal_;  // the text in front of the first `*`, `**` or variable that is more than text
  enum class Rest : unsigned char { kNothing, kAnything, kMore } rest_ = Rest::kNothing;  // behind it
};

}  // namespace sluice::match
