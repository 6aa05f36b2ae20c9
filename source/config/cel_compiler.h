// Expressions of the configuration as programs over the attributes of a stream (stream/attributes.h). Thread: main.
// Errors go to `context`, which stands at the expression; null after one.
#pragma once

#include <string>

#include "google/api/expr/v1alpha1/syntax.pb.h"
#include "source/config/errors.h"
#include "source/match/cel/program.h"
#include "xds/type/v3/cel.pb.h"

namespace sluice::config {

// Conditions: what certainly is no bool is refused.
match::cel::Program::Ptr compileCelCondition(const std::string& text, const Context& context);
match::cel::Program::Ptr compileCelCondition(const ::xds::type::v3::CelExpression& expression, const Context& context);

// The tree of a message.
match::cel::Program::Ptr compileCelCondition(const ::cel::expr::Expr& tree, const Context& context);
match::cel::Program::Ptr compileCelCondition(const google::api::expr::v1alpha1::Expr& tree, const Context& context);

// A value that is told to others: what certainly is a list, a map, a time or a type is refused.
match::cel::Program::Ptr compileCelScalar(const std::string& text, const Context& context);
match::cel::Program::Ptr compileCelScalar(const google::api::expr::v1alpha1::Expr& tree, const Context& context);

}  // namespace sluice::config
