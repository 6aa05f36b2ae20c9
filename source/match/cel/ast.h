// An expression as it was written, or as a message brings it (cel.expr.Expr): the input of Program::compile. Free of
// protobuf.
//
// Nodes stand in one vector and name each other by number, so neither building nor destroying a deep one recurses.
// Functions have the names of the published syntax tree: `_+_`, `_&&_`, `_[_]`, `@in`, `_?_:_`, `!_`, `-_`.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace sluice::match::cel {

struct Bytes {
  std::string value;
};

// monostate: null
using Constant = std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, Bytes>;

using NodeId = uint32_t;

struct Node {
  enum class Kind : uint8_t {
    kConstant,
    kIdent,   // name
    kSelect,  // parts[0].name
    kHas,     // has(parts[0].name)
    kCall,    // name(parts...), or parts[0].name(the rest) where `has_target`
    kList,    // parts
    kMap,     // key, value, key, value, ...
    kFold,    // see Fold
  };
  Kind kind = Kind::kConstant;
  bool has_target = false;
  uint32_t offset = 0;  // in the source, bytes
  std::string name;     // kFold: what the elements are called
  std::string second;   // kFold: what the accumulator is called
  Constant constant;
  std::vector<NodeId> parts;
};

// Parts of a kFold: what macros become. The accumulator begins as kInit; while kCondition holds, kStep makes the next
// one of it and of each element of kRange (a list, or the keys of a map); the value is kResult.
enum Fold : uint8_t { kRange, kInit, kCondition, kStep, kResult, kFoldParts };

struct Ast {
  static constexpr size_t kMaxNodes = 10'000;
  // Levels of expressions, one in the other.
  static constexpr int kMaxDepth = 200;

  std::string source;  // empty: it did not come as text
  std::vector<Node> nodes;
  NodeId root = 0;
};

}  // namespace sluice::match::cel
