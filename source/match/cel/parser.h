// The text of an expression to its tree. (https://github.com/cel-expr/cel-spec, langdef: Syntax)
//
// Macros are written out. Errors say "LINE:COLUMN: " what was found and what was expected. Length, depth and number of
// nodes are bounded.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "source/match/cel/ast.h"

namespace sluice::match::cel {

constexpr size_t kMaxSource = 64 * 1024;

absl::StatusOr<Ast> parse(std::string_view source);

}  // namespace sluice::match::cel
