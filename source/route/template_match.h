// A route that matches by a template of its path, as what the index knows: a whole path, a prefix, an expression.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "source/match/path_template.h"
#include "source/route/spec.h"

namespace sluice::route {

// `as_whole`: the route replaces the path that it matches, so that it has to be one that matches a path as a whole.
inline absl::Status matchTemplate(const match::PathTemplate& path, bool as_whole, RouteSpec& out) {
  out.case_sensitive = true;
  if (const auto only = path.onlyPath()) {
    out.path_kind = PathKind::kExact;
    out.path = std::string(*only);
    return absl::OkStatus();
  }
  if (const auto prefix = path.onlyPrefix(); prefix && !as_whole) {
    out.path_kind = PathKind::kPrefix;
    out.path = std::string(*prefix);
    return absl::OkStatus();
  }
  const auto regex = compileRegex(path.pattern());
  if (!regex.ok()) return regex.status();
  out.path_kind = PathKind::kRegex;
  out.path = path.pattern();
  out.regex = *regex;
  return absl::OkStatus();
}

}  // namespace sluice::route
