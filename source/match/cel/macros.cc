#include "source/match/cel/macros.h"

#include <algorithm>
#include <utility>

#include "source/base/text.h"
#include "source/match/cel/lexer.h"

namespace sluice::match::cel {
namespace {

using Arguments = std::vector<NodeId>;
using Expanded = absl::StatusOr<NodeId>;

// No source can spell it.
constexpr std::string_view kResultName = "@result";

// Adds nodes of one macro, all at its place in the source. The parser's bound holds a little later here: each macro
// adds a dozen nodes at most.
class Builder {
 public:
  Builder(Ast& ast, uint32_t offset) : ast_(ast), offset_(offset) {}

  NodeId add(Node node) {
    node.offset = offset_;
    ast_.nodes.push_back(std::move(node));
    return static_cast<NodeId>(ast_.nodes.size() - 1);
  }
  NodeId constant(Constant value) { return add({.kind = Node::Kind::kConstant, .constant = std::move(value)}); }
  NodeId ident(std::string_view name) { return add({.kind = Node::Kind::kIdent, .name = std::string(name)}); }
  NodeId result() { return ident(kResultName); }
  NodeId call(std::string_view function, Arguments parts) {
    return add({.kind = Node::Kind::kCall, .name = std::string(function), .parts = std::move(parts)});
  }
  NodeId list(Arguments parts) { return add({.kind = Node::Kind::kList, .parts = std::move(parts)}); }

  // The name that the first argument of a macro gives to elements.
  absl::StatusOr<std::string> variable(NodeId argument) const {
    const Node& node = ast_.nodes[argument];
    if (node.kind == Node::Kind::kIdent && node.name[0] != '.') return node.name;
    return errorAt(ast_.source, node.offset, "expected a plain name for the elements");
  }

  Expanded fold(NodeId range, NodeId variable_argument, NodeId init, NodeId condition, NodeId step, NodeId result) {
    auto name = variable(variable_argument);
    if (!name.ok()) return name.status();
    return add({.kind = Node::Kind::kFold,
                .name = *std::move(name),
                .second = std::string(kResultName),
                .parts = {range, init, condition, step, result}});
  }

 private:
  Ast& ast_;
  const uint32_t offset_;
};

Expanded expandHas(Ast& ast, uint32_t offset, NodeId, const Arguments& arguments) {
  Node& field = ast.nodes[arguments[0]];
  if (field.kind != Node::Kind::kSelect) return errorAt(ast.source, offset, "has() takes a field: has(value.field)");
  field.kind = Node::Kind::kHas;
  return arguments[0];
}

Expanded expandAll(Ast& ast, uint32_t offset, NodeId target, const Arguments& arguments) {
  Builder make(ast, offset);
  const NodeId condition = make.call("@not_strictly_false", {make.result()});
  const NodeId step = make.call("_&&_", {make.result(), arguments[1]});
  return make.fold(target, arguments[0], make.constant(true), condition, step, make.result());
}

Expanded expandExists(Ast& ast, uint32_t offset, NodeId target, const Arguments& arguments) {
  Builder make(ast, offset);
  const NodeId condition = make.call("@not_strictly_false", {make.call("!_", {make.result()})});
  const NodeId step = make.call("_||_", {make.result(), arguments[1]});
  return make.fold(target, arguments[0], make.constant(false), condition, step, make.result());
}

Expanded expandExistsOne(Ast& ast, uint32_t offset, NodeId target, const Arguments& arguments) {
  Builder make(ast, offset);
  const NodeId one_more = make.call("_+_", {make.result(), make.constant(int64_t{1})});
  const NodeId step = make.call("_?_:_", {arguments[1], one_more, make.result()});
  const NodeId result = make.call("_==_", {make.result(), make.constant(int64_t{1})});
  return make.fold(target, arguments[0], make.constant(int64_t{0}), make.constant(true), step, result);
}

// Lists grow by one element; with `condition`, only by those for which it holds.
Expanded collect(Ast& ast, uint32_t offset, NodeId target, NodeId variable, NodeId element, const NodeId* condition) {
  Builder make(ast, offset);
  NodeId step = make.call("_+_", {make.result(), make.list({element})});
  if (condition != nullptr) step = make.call("_?_:_", {*condition, step, make.result()});
  return make.fold(target, variable, make.list({}), make.constant(true), step, make.result());
}

Expanded expandMap(Ast& ast, uint32_t offset, NodeId target, const Arguments& arguments) {
  return collect(ast, offset, target, arguments[0], arguments[1], nullptr);
}

Expanded expandFilteredMap(Ast& ast, uint32_t offset, NodeId target, const Arguments& arguments) {
  return collect(ast, offset, target, arguments[0], arguments[2], &arguments[1]);
}

Expanded expandFilter(Ast& ast, uint32_t offset, NodeId target, const Arguments& arguments) {
  const auto name = Builder(ast, offset).variable(arguments[0]);
  if (!name.ok()) return name.status();
  const NodeId element = Builder(ast, offset).ident(*name);
  return collect(ast, offset, target, arguments[0], element, &arguments[1]);
}

constexpr Macro kMacros[] = {
    {"has", false, 1, expandHas},
    {"all", true, 2, expandAll},
    {"exists", true, 2, expandExists},
    {"exists_one", true, 2, expandExistsOne},
    {"existsOne", true, 2, expandExistsOne},
    {"map", true, 2, expandMap},
    {"map", true, 3, expandFilteredMap},
    {"filter", true, 2, expandFilter},
};

}  // namespace

const Macro* findMacro(std::string_view name, bool has_target, size_t arguments) {
  const auto* found = std::find_if(std::begin(kMacros), std::end(kMacros), [&](const Macro& macro) {
    return macro.name == name && macro.has_target == has_target && macro.arguments == arguments;
  });
  return found == std::end(kMacros) ? nullptr : found;
}

}  // namespace sluice::match::cel
