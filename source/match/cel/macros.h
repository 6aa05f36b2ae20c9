// Macros: has, all, exists, exists_one, map and filter, written out as they are read. Used by parser.cc only.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "source/match/cel/ast.h"

namespace sluice::match::cel {

struct Macro {
  std::string_view name;
  bool has_target;
  size_t arguments;
  absl::StatusOr<NodeId> (*expand)(Ast& ast, uint32_t offset, NodeId target, const std::vector<NodeId>& arguments);
};

// Null: what is called so is a function.
const Macro* findMacro(std::string_view name, bool has_target, size_t arguments);

}  // namespace sluice::match::cel
