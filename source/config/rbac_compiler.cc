#include "source/config/rbac_compiler.h"

#include <algorithm>

#include "source/config/route_texts.h"
#include "source/config/values.h"

namespace sluice::config {
namespace {

using envoy::config::rbac::v3::Permission;
using envoy::config::rbac::v3::Principal;
using envoy::config::rbac::v3::RBAC;
using filter::rbac::Rule;

// Rules within rules; deeper ones are refused when the configuration is loaded.
class Compiler {
 public:
  Rule permission(const Permission& proto, const Context& context) {
    switch (proto.rule_case()) {
      case Permission::kAndRules:
        return set(Rule::Kind::kAll, proto.and_rules().rules(), context.child("and_rules").child("rules"));
      case Permission::kOrRules:
        return set(Rule::Kind::kSome, proto.or_rules().rules(), context.child("or_rules").child("rules"));
      case Permission::kNotRule:
        return negated(permission(proto.not_rule(), context.child("not_rule")));
      case Permission::kAny:
        (void)proto.any();
        return {};
      case Permission::kDestinationIp:
        return range(Rule::Kind::kLocal, proto.destination_ip(), context.child("destination_ip"));
      case Permission::kDestinationPort:
        return ports(proto.destination_port(), proto.destination_port());
      case Permission::kDestinationPortRange:
        return portRange(proto.destination_port_range(), context.child("destination_port_range"));
      case Permission::kRequestedServerName:
        return text(Rule::Kind::kServerName, proto.requested_server_name(), context.child("requested_server_name"));
      case Permission::RULE_NOT_SET:
        break;
    }
    context.error("has no rule; say what is permitted, such as `any: true`");
    return {};
  }

  Rule principal(const Principal& proto, const Context& context) {
    switch (proto.identifier_case()) {
      case Principal::kAndIds:
        return set(Rule::Kind::kAll, proto.and_ids().ids(), context.child("and_ids").child("ids"));
      case Principal::kOrIds:
        return set(Rule::Kind::kSome, proto.or_ids().ids(), context.child("or_ids").child("ids"));
      case Principal::kNotId:
        return negated(principal(proto.not_id(), context.child("not_id")));
      case Principal::kAny:
        (void)proto.any();
        return {};
      case Principal::kAuthenticated: {
        if (proto.authenticated().has_principal_name()) {
          return text(Rule::Kind::kPrincipal, proto.authenticated().principal_name(),
                      context.child("authenticated").child("principal_name"));
        }
        Rule rule;
        rule.kind = Rule::Kind::kAuthenticated;
        return rule;
      }
      case Principal::kSourceIp:
        return range(Rule::Kind::kRemote, proto.source_ip(), context.child("source_ip"));
      case Principal::kRemoteIp:
        return range(Rule::Kind::kRemote, proto.remote_ip(), context.child("remote_ip"));
      case Principal::kDirectRemoteIp:
        return range(Rule::Kind::kDirectRemote, proto.direct_remote_ip(), context.child("direct_remote_ip"));
      case Principal::IDENTIFIER_NOT_SET:
        break;
    }
    context.error("has no identifier; say who is meant, such as `any: true`");
    return {};
  }

 private:
  Rule compile(const Permission& proto, const Context& context) { return permission(proto, context); }
  Rule compile(const Principal& proto, const Context& context) { return principal(proto, context); }

  template <typename List>
  Rule set(Rule::Kind kind, const List& list, const Context& context) {
    Rule rule;
    rule.kind = kind;
    for (int i = 0; i < list.size(); ++i) {
      rule.rules.push_back(compile(
          list.Get(i), Context(context.errors(), context.positions(), context.path() + "[" + std::to_string(i) + "]")));
    }
    return rule;
  }

  static Rule negated(Rule inner) {
    Rule rule;
    rule.kind = Rule::Kind::kNot;
    rule.rules.push_back(std::move(inner));
    return rule;
  }

  static Rule range(Rule::Kind kind, const envoy::config::core::v3::CidrRange& proto, const Context& context) {
    Rule rule;
    if (const std::optional<net::Cidr> cidr = compileCidr(proto, context)) {
      rule.kind = kind;
      rule.range.push_back(*cidr);
    }
    return rule;
  }

  static Rule ports(uint32_t first, uint32_t last) {
    Rule rule;
    rule.kind = Rule::Kind::kLocalPort;
    rule.first_port = first;
    rule.last_port = last;
    return rule;
  }

  static Rule portRange(const envoy::type::v3::Int32Range& proto, const Context& context) {
    if (proto.start() < 0 || proto.end() > 65536 || proto.start() >= proto.end()) {
      context.error("is no range of ports; `start` is the first port and `end` the first behind the last one");
      return {};
    }
    return ports(proto.start(), proto.end() - 1);
  }

  Rule text(Rule::Kind kind, const envoy::type::matcher::v3::StringMatcher& proto, const Context& context) {
    Rule rule;
    rule.kind = kind;
    rule.text = regexes_.stringMatcher(proto, context);
    return rule;
  }

  Regexes regexes_;
};

}  // namespace

filter::rbac::Rules compileRbac(const RBAC& rbac, const Context& context) {
  Compiler compiler;
  filter::rbac::Rules rules;
  rules.allow = rbac.action() != RBAC::DENY;
  if (rbac.action() == RBAC::LOG) context.child("action").error("LOG is not supported yet; use shadow_rules");
  for (const auto& [name, proto] : rbac.policies()) {
    const Context at = context.entry("policies", name);
    filter::rbac::Policy policy;
    policy.name = name;
    for (int i = 0; i < proto.permissions_size(); ++i) {
      policy.permissions.push_back(compiler.permission(proto.permissions(i), at.child("permissions", i)));
    }
    for (int i = 0; i < proto.principals_size(); ++i) {
      policy.principals.push_back(compiler.principal(proto.principals(i), at.child("principals", i)));
    }
    rules.policies.push_back(std::move(policy));
  }
  std::sort(rules.policies.begin(), rules.policies.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return rules;
}

}  // namespace sluice::config
