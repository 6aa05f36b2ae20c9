// A path template of google.api.http: "/v1/{name=shelves/*}/books/{id}:publish".
//
//   template = "/" segments [":" verb]
//   segment  = "*" / "**" / text / variable
//   variable = "{" field *("." field) ["=" segments] "}"    ; without segments: "*"
//
// `*` is one segment, `**` all that is left, so it stands last. Text is compared as sent.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace sluice::transcoding {

struct PathVariable {
  std::vector<std::string> fields;  // "a.b" is {"a", "b"}
  size_t begin = 0;                 // the first of its segments
  size_t end = 0;                   // behind the last; with `**` the rest of the path belongs to it
  bool rest = false;
  // It is more than one `*`: what it stands for may have slashes.
  bool many = false;
};

struct RestPath {
  std::vector<std::string> segments;  // text, "*" or "**"
  std::string verb;                   // empty: none
  std::vector<PathVariable> variables;

  // The error says which part is wrong and why.
  static absl::StatusOr<RestPath> parse(std::string_view text);
};

}  // namespace sluice::transcoding
