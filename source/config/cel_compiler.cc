#include "source/config/cel_compiler.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/text.h"
#include "source/config/cel_tree.h"
#include "source/match/cel/value.h"
#include "source/stream/attributes.h"

namespace sluice::config {
namespace {

namespace cel = match::cel;
using Program = cel::Program::Ptr;
namespace v1alpha1 = google::api::expr::v1alpha1;

// The same tree by the names of the language's own package: its fields have the same numbers.
absl::StatusOr<Program> compileTree(const v1alpha1::Expr& proto) {
  ::cel::expr::Expr tree;
  if (!tree.ParseFromString(proto.SerializeAsString())) {
    return absl::InvalidArgumentError("is nested too deep; make the expression flatter");
  }
  absl::StatusOr<cel::Ast> ast = astOf(tree);
  if (!ast.ok()) return ast.status();
  return cel::Program::compile(*std::move(ast), stream::attributeNames());
}

Program condition(absl::StatusOr<Program> program, const Context& context) {
  if (!program.ok()) {
    context.error(base::toStd(program.status().message()));
    return nullptr;
  }
  const auto kind = (*program)->kind();
  if (kind && *kind != cel::Value::Kind::kBool) {
    context.error(base::strCat("is a condition and has to be a bool; its value is a ", cel::nameOf(*kind)));
    return nullptr;
  }
  return *std::move(program);
}

Program scalar(absl::StatusOr<Program> program, const Context& context) {
  if (!program.ok()) {
    context.error(base::toStd(program.status().message()));
    return nullptr;
  }
  using Kind = cel::Value::Kind;
  const auto kind = (*program)->kind();
  if (kind && (*kind == Kind::kList || *kind == Kind::kMap || *kind == Kind::kTimestamp || *kind == Kind::kDuration ||
               *kind == Kind::kType)) {
    context.error(
        base::strCat("has to be a bool, a number or a text, is a ", cel::nameOf(*kind), "; ask for one value of it"));
    return nullptr;
  }
  return *std::move(program);
}

}  // namespace

Program compileCelCondition(const std::string& text, const Context& context) {
  return condition(cel::Program::compile(text, stream::attributeNames()), context);
}

Program compileCelCondition(const ::cel::expr::Expr& tree, const Context& context) {
  absl::StatusOr<cel::Ast> ast = astOf(tree);
  if (!ast.ok()) return condition(ast.status(), context);
  return condition(cel::Program::compile(*std::move(ast), stream::attributeNames()), context);
}

Program compileCelCondition(const v1alpha1::Expr& tree, const Context& context) {
  return condition(compileTree(tree), context);
}

Program compileCelCondition(const ::xds::type::v3::CelExpression& expression, const Context& context) {
  const bool text = !expression.cel_expr_string().empty();
  if (int{text} + int{expression.has_cel_expr_parsed()} + int{expression.has_cel_expr_checked()} != 1) {
    context.error("has to be in one form; set one of cel_expr_string, cel_expr_parsed, cel_expr_checked");
    return nullptr;
  }
  if (text) return compileCelCondition(expression.cel_expr_string(), context.child("cel_expr_string"));
  if (expression.has_cel_expr_parsed()) {
    return compileCelCondition(expression.cel_expr_parsed().expr(), context.child("cel_expr_parsed").child("expr"));
  }
  return compileCelCondition(expression.cel_expr_checked().expr(), context.child("cel_expr_checked").child("expr"));
}

Program compileCelScalar(const std::string& text, const Context& context) {
  return scalar(cel::Program::compile(text, stream::attributeNames()), context);
}

Program compileCelScalar(const v1alpha1::Expr& tree, const Context& context) {
  return scalar(compileTree(tree), context);
}

}  // namespace sluice::config
