#include "source/config/cel_tree.h"

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "source/base/text.h"

namespace sluice::config {
namespace {

using ::cel::expr::Expr;
using match::cel::Ast;
using match::cel::Node;
using match::cel::NodeId;
using Made = absl::StatusOr<NodeId>;

absl::Status wrong(std::string_view message) {
  return absl::InvalidArgumentError(base::toAbsl(message));
}

class Builder {
 public:
  absl::StatusOr<Ast> run(const Expr& tree) {
    const Made root = make(tree);
    if (!root.ok()) return root.status();
    ast_.root = *root;
    return std::move(ast_);
  }

 private:
  Made make(const Expr& expr) {
    if (++depth_ > Ast::kMaxDepth) {
      return wrong(base::strCat("the expression is nested more than ", Ast::kMaxDepth, " levels deep"));
    }
    Made out = makeKind(expr);
    --depth_;
    return out;
  }

  Made makeKind(const Expr& expr) {
    switch (expr.expr_kind_case()) {
      case Expr::kConstExpr:
        return constant(expr.const_expr());
      case Expr::kIdentExpr:
        return add({.kind = Node::Kind::kIdent, .name = expr.ident_expr().name()}, {});
      case Expr::kSelectExpr:
        return add({.kind = expr.select_expr().test_only() ? Node::Kind::kHas : Node::Kind::kSelect,
                    .name = expr.select_expr().field()},
                   {&expr.select_expr().operand()});
      case Expr::kCallExpr:
        return call(expr.call_expr());
      case Expr::kListExpr:
        return add({.kind = Node::Kind::kList}, pointersTo(expr.list_expr().elements()));
      case Expr::kStructExpr:
        return map(expr.struct_expr());
      case Expr::kComprehensionExpr:
        return fold(expr.comprehension_expr());
      case Expr::EXPR_KIND_NOT_SET:
        break;
    }
    return wrong(
        "a part of the expression is empty; one of const_expr, ident_expr, select_expr, call_expr, list_expr, "
        "struct_expr, comprehension_expr is needed");
  }

  static std::vector<const Expr*> pointersTo(const google::protobuf::RepeatedPtrField<Expr>& parts) {
    std::vector<const Expr*> out;
    for (const Expr& part : parts) out.push_back(&part);
    return out;
  }

  Made add(Node node, const std::vector<const Expr*>& parts) {
    for (const Expr* part : parts) {
      const Made made = make(*part);
      if (!made.ok()) return made;
      node.parts.push_back(*made);
    }
    if (ast_.nodes.size() == Ast::kMaxNodes) {
      return wrong(base::strCat("the expression has more than ", Ast::kMaxNodes, " parts"));
    }
    ast_.nodes.push_back(std::move(node));
    return static_cast<NodeId>(ast_.nodes.size() - 1);
  }

  Made constant(const ::cel::expr::Constant& proto) {
    using Proto = ::cel::expr::Constant;
    Node node{.kind = Node::Kind::kConstant};
    switch (proto.constant_kind_case()) {
      case Proto::kNullValue:
        if (proto.null_value() != google::protobuf::NULL_VALUE) return wrong("null_value has one value, NULL_VALUE");
        break;
      case Proto::kBoolValue:
        node.constant = proto.bool_value();
        break;
      case Proto::kInt64Value:
        node.constant = static_cast<int64_t>(proto.int64_value());
        break;
      case Proto::kUint64Value:
        node.constant = static_cast<uint64_t>(proto.uint64_value());
        break;
      case Proto::kDoubleValue:
        node.constant = proto.double_value();
        break;
      case Proto::kStringValue:
        node.constant = proto.string_value();
        break;
      case Proto::kBytesValue:
        node.constant = match::cel::Bytes{proto.bytes_value()};
        break;
      case Proto::CONSTANT_KIND_NOT_SET:
        return wrong("const_expr says nothing; set one of its values");
    }
    return add(std::move(node), {});
  }

  Made call(const Expr::Call& proto) {
    std::vector<const Expr*> parts = pointersTo(proto.args());
    if (proto.has_target()) parts.insert(parts.begin(), &proto.target());
    return add({.kind = Node::Kind::kCall, .has_target = proto.has_target(), .name = proto.function()}, parts);
  }

  Made map(const Expr::CreateStruct& proto) {
    std::vector<const Expr*> parts;
    for (const auto& entry : proto.entries()) {
      if (!entry.has_map_key()) return wrong("an entry of struct_expr has no map_key");
      parts.insert(parts.end(), {&entry.map_key(), &entry.value()});
    }
    return add({.kind = Node::Kind::kMap}, parts);
  }

  Made fold(const Expr::Comprehension& proto) {
    return add({.kind = Node::Kind::kFold, .name = proto.iter_var(), .second = proto.accu_var()},
               {&proto.iter_range(), &proto.accu_init(), &proto.loop_condition(), &proto.loop_step(), &proto.result()});
  }

  Ast ast_;
  int depth_ = 0;
};

}  // namespace

absl::StatusOr<Ast> astOf(const Expr& tree) {
  return Builder().run(tree);
}

}  // namespace sluice::config
