#pragma once

// Rules of envoy.config.rbac.v3, and trees of matchers that lead to its actions -> filter::rbac::Engine. Thread: main.
// Run after validate(); errors go to `context`.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "envoy/config/rbac/v3/rbac.pb.h"
#include "source/config/services.h"
#include "source/filter/rbac/engine.h"
#include "xds/type/matcher/v3/matcher.pb.h"

namespace sluice::config {

// Where rules stand: what they may look at, as bits of match::Part.
struct RbacPlace {
  std::string_view name;  // for errors: "a network filter"
  uint8_t parts = 0;
};

// Null: not set, or an error.
using RbacEngine = std::shared_ptr<const filter::rbac::Engine>;

// The two forms that a filter's message has, null where not set. `shadow`: they are those of its shadow. `context`: of
// that message.
RbacEngine compileRbac(const envoy::config::rbac::v3::RBAC* rules, const ::xds::type::matcher::v3::Matcher* matcher,
                       bool shadow, const RbacPlace& place, const FactoryContext& context);

// What is enforced.
template <typename Filter>
RbacEngine compileRbacRules(const Filter& proto, const RbacPlace& place, const FactoryContext& context) {
  return compileRbac(proto.has_rules() ? &proto.rules() : nullptr, proto.has_matcher() ? &proto.matcher() : nullptr,
                     false, place, context);
}

// What is counted only.
template <typename Filter>
RbacEngine compileRbacShadow(const Filter& proto, const RbacPlace& place, const FactoryContext& context) {
  return compileRbac(proto.has_shadow_rules() ? &proto.shadow_rules() : nullptr,
                     proto.has_shadow_matcher() ? &proto.shadow_matcher() : nullptr, true, place, context);
}

// What has to hold all at once.
struct RbacCondition {
  // One of each has to match; empty: any.
  const google::protobuf::RepeatedPtrField<envoy::config::rbac::v3::Permission>& permissions;
  const google::protobuf::RepeatedPtrField<envoy::config::rbac::v3::Principal>& principals;
  std::vector<envoy::config::rbac::v3::Principal> also = {};  // all of these; right by themselves
  const std::string& expression;                              // CEL; empty: none
};
// `context` stands at the message with fields of these names. `needs`: bits of match::Part are added to it.
filter::rbac::Policy compileRbacCondition(const RbacCondition& condition, const RbacPlace& place,
                                          const Context& context, uint8_t& needs);

// What the names of its counters begin with: `base`, and `prefix` with a dot behind it if it has any.
std::string rbacStatPrefix(std::string base, const std::string& prefix);

}  // namespace sluice::config
