#include "source/extensions/filters/http/rbac/factory.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/rbac/v3/rbac.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/rbac_compiler.h"
#include "source/extensions/filters/http/rbac/filter.h"

namespace sluice::extensions::http_filters::rbac {
namespace {

namespace v3 = envoy::extensions::filters::http::rbac::v3;

constexpr config::RbacPlace kPlace{"an HTTP filter", match::kRequestParts};

std::string enforcedPrefix(const v3::RBAC& proto, const std::string& owner) {
  return config::rbacStatPrefix(owner + "rbac.", proto.rules_stat_prefix());
}

std::string shadowPrefix(const v3::RBAC& proto, const std::string& owner) {
  return config::rbacStatPrefix(owner + "rbac.", proto.shadow_rules_stat_prefix());
}

// `kind`: what stands in front of the names of counters and keys, "" or "shadow_".
Counts countsOf(const std::string& prefix, const char* kind, observability::Scope& stats) {
  return {stats.counter(absl::StrCat(prefix, kind, "allowed")), stats.counter(absl::StrCat(prefix, kind, "denied"))};
}

void countPolicies(Side& side, const std::string& prefix, const char* kind, observability::Scope& stats) {
  if (!side.engine) return;
  for (const std::string& name : side.engine->names()) {
    side.policies.push_back(countsOf(absl::StrCat(prefix, "policy.", name, "."), kind, stats));
  }
}

Side sideOf(config::RbacEngine engine, const std::string& key) {
  return {std::move(engine), key + "_effective_policy_id", key + "_engine_result", {}};
}

Checks compileChecks(const v3::RBAC& proto, const config::FactoryContext& context) {
  Checks out;
  out.enforced = sideOf(config::compileRbacRules(proto, kPlace, context), proto.rules_stat_prefix() + "enforced");
  out.shadow = sideOf(config::compileRbacShadow(proto, kPlace, context), proto.shadow_rules_stat_prefix() + "shadow");
  if (proto.track_per_rule_stats()) {
    countPolicies(out.enforced, enforcedPrefix(proto, context.owner), "", *context.stats);
    countPolicies(out.shadow, shadowPrefix(proto, context.owner), "shadow_", *context.stats);
  }
  return out;
}

class Factory : public config::RoutedHttpFilterOf<v3::RBAC, v3::RBACPerRoute> {
 public:
  std::string_view upstreamRefusal() const override { return {}; }

  config::HttpFilterPtr makeFilter(const v3::RBAC& proto, const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(
        Settings{compileChecks(proto, context), countsOf(enforcedPrefix(proto, context.owner), "", *context.stats),
                 countsOf(shadowPrefix(proto, context.owner), "shadow_", *context.stats)});
  }

  config::RouteConfigPtr makeRouteConfig(const v3::RBACPerRoute& proto,
                                         const config::FactoryContext& context) const override {
    Checks checks;
    if (proto.has_rbac()) checks = compileChecks(proto.rbac(), context.child("rbac"));
    return std::make_shared<RouteSettings>(std::move(checks));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::rbac
