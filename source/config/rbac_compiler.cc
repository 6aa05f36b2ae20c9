#include "source/config/rbac_compiler.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cel/expr/syntax.pb.h"
#include "source/base/text.h"
#include "source/config/any_type.h"
#include "source/config/cel_compiler.h"
#include "source/config/matcher_compiler.h"
#include "source/config/rbac_audit.h"
#include "source/config/rbac_rules.h"

namespace sluice::config {
namespace {

namespace v3 = envoy::config::rbac::v3;
using filter::rbac::Action;
using filter::rbac::Engine;

Action actionOf(v3::RBAC::Action action) {
  switch (action) {
    case v3::RBAC::ALLOW:
      return Action::kAllow;
    case v3::RBAC::LOG:
      return Action::kLog;
    default:
      return Action::kDeny;
  }
}

// Null: there is none, or an error.
match::cel::Program::Ptr conditionOf(const v3::Policy& policy, RbacRules& rules, const Context& context) {
  if (policy.has_condition() && policy.has_checked_condition()) {
    context.child("condition").error("stands beside checked_condition; keep one of the two");
  }
  const bool checked = policy.has_checked_condition();
  if (!checked && !policy.has_condition()) return nullptr;
  const Context at = checked ? context.child("checked_condition").child("expr") : context.child("condition");
  // An expression may look at anything, so its addresses are texts of what is known of the request.
  rules.need(match::kRequest | match::kStream, at);
  return compileCelCondition(checked ? policy.checked_condition().expr() : policy.condition(), at);
}

filter::rbac::Policy compilePolicy(const std::string& name, const v3::Policy& proto, RbacRules& rules,
                                   const Context& context) {
  filter::rbac::Policy policy;
  policy.name = name;
  for (int i = 0; i < proto.permissions_size(); ++i) {
    policy.permissions.push_back(
        rules.compile(proto.permissions(i), context.child("permissions", static_cast<size_t>(i))));
  }
  for (int i = 0; i < proto.principals_size(); ++i) {
    policy.principals.push_back(
        rules.compile(proto.principals(i), context.child("principals", static_cast<size_t>(i))));
  }
  policy.condition = conditionOf(proto, rules, context);
  return policy;
}

RbacEngine compileRules(const v3::RBAC& proto, bool shadow, const RbacPlace& place,
                        const FactoryContext& factory_context) {
  const Context& context = factory_context.at;
  const ErrorMark mark(context);
  RbacRules compiler(place);
  filter::rbac::Rules rules;
  rules.action = actionOf(proto.action());
  // Only access logs of requests ask for it.
  if (rules.action == Action::kLog) compiler.need(match::kStream, context.child("action"));
  for (const auto& [name, policy] : proto.policies()) {
    rules.policies.push_back(compilePolicy(name, policy, compiler, context.entry("policies", name)));
  }
  std::sort(rules.policies.begin(), rules.policies.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  rules.needs = compiler.needs();
  if (proto.has_audit_logging_options()) {
    const FactoryContext at = factory_context.child("audit_logging_options");
    if (shadow) at.at.error("tells of decisions, and a shadow decides nothing; set it in rules");
    if (!shadow) rules.audit = compileAudit(proto.audit_logging_options(), at);
  }
  return mark.hit() ? nullptr : std::make_shared<Engine>(std::move(rules));
}

RbacEngine compileTree(const ::xds::type::matcher::v3::Matcher& proto, const RbacPlace& place,
                       const FactoryContext& context) {
  std::vector<filter::rbac::Outcome> outcomes;
  RbacRules checks(place);
  const auto action = [&](const google::protobuf::Any& any, const Context& at) -> std::optional<match::Action> {
    const std::unique_ptr<google::protobuf::Message> message = unpackAny(any, at);
    if (message == nullptr) return std::nullopt;
    const auto* outcome = dynamic_cast<const v3::Action*>(message.get());
    if (outcome == nullptr) {
      at.error(
          absl::StrCat(message->GetTypeName(), " is no action of it; it is ", v3::Action::descriptor()->full_name()));
      return std::nullopt;
    }
    outcomes.push_back({outcome->name(), actionOf(outcome->action())});
    if (outcomes.back().action == Action::kLog) checks.need(match::kStream, at.child("action"));
    return static_cast<match::Action>(outcomes.size() - 1);
  };
  auto matcher = compileMatcher(proto, {place.name, place.parts, false, action}, context);
  return matcher == nullptr ? nullptr : std::make_shared<Engine>(std::move(matcher), std::move(outcomes));
}

}  // namespace

RbacEngine compileRbac(const v3::RBAC* rules, const ::xds::type::matcher::v3::Matcher* matcher, bool shadow,
                       const RbacPlace& place, const FactoryContext& context) {
  const char* const rules_field = shadow ? "shadow_rules" : "rules";
  const char* const matcher_field = shadow ? "shadow_matcher" : "matcher";
  if (rules != nullptr && matcher != nullptr) {
    context.at.child(matcher_field).error(absl::StrCat("stands beside ", rules_field, "; keep one of the two"));
    return nullptr;
  }
  if (rules != nullptr) return compileRules(*rules, shadow, place, context.child(rules_field));
  return matcher == nullptr ? nullptr : compileTree(*matcher, place, context.child(matcher_field));
}

filter::rbac::Policy compileRbacCondition(const RbacCondition& condition, const RbacPlace& place,
                                          const Context& context, uint8_t& needs) {
  using filter::rbac::Rule;
  RbacRules rules(place);
  // A rule of which one part has to match; of none: any.
  const auto oneOf = [&](const auto& protos, const char* field) {
    Rule out;
    if (!protos.empty()) out.kind = Rule::Kind::kSome;
    for (int i = 0; i < protos.size(); ++i) {
      out.rules.push_back(rules.compile(protos.Get(i), context.child(field, static_cast<size_t>(i))));
    }
    return out;
  };
  filter::rbac::Policy out;
  out.permissions.push_back(oneOf(condition.permissions, "permissions"));
  Rule& who = out.principals.emplace_back();
  who.kind = Rule::Kind::kAll;
  who.rules.push_back(oneOf(condition.principals, "principals"));
  for (const v3::Principal& each : condition.also) who.rules.push_back(rules.compile(each, context));
  if (!condition.expression.empty()) {
    rules.need(match::kRequest | match::kStream, context.child("expression"));
    out.condition = compileCelCondition(condition.expression, context.child("expression"));
  }
  needs |= rules.needs();
  return out;
}

std::string rbacStatPrefix(std::string base, const std::string& prefix) {
  base += prefix;
  if (!prefix.empty() && !prefix.ends_with('.')) base += '.';
  return base;
}

}  // namespace sluice::config
