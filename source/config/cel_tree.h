// Expressions that come as messages to the trees of match/cel. Used by cel_compiler.cc only.
#pragma once

#include "absl/status/statusor.h"
#include "cel/expr/syntax.pb.h"
#include "source/match/cel/ast.h"

namespace sluice::config {

absl::StatusOr<match::cel::Ast> astOf(const ::cel::expr::Expr& tree);

}  // namespace sluice::config
