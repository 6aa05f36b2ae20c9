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

class Factory : public config::HttpFilterConfigFactory {
 public:
  std::string_view configType() const override { return v3::RBAC::descriptor()->full_name(); }
  std::string_view upstreamRefusal() const override { return {}; }
  std::string_view routeConfigType() const override { return v3::RBACPerRoute::descriptor()->full_name(); }

  std::shared_ptr<const filter::HttpFilterFactory> compile(const google::protobuf::Message& message,
                                                           config::FactoryContext context) const override {
    const auto& proto = static_cast<const v3::RBAC&>(message);
    const config::ErrorMark mark(context.at);
    Settings settings{compileChecks(proto, context), countsOf(enforcedPrefix(proto, context.owner), "", *context.stats),
                      countsOf(shadowPrefix(proto, context.owner), "shadow_", *context.stats)};
    if (mark.hit()) return nullptr;
    return std::make_shared<FilterFactory>(std::move(settings));
  }

  std::shared_ptr<const route::PerFilterConfig> compileRoute(const google::protobuf::Message& message,
                                                             config::FactoryContext context) const override {
    const auto& proto = static_cast<const v3::RBACPerRoute&>(message);
    const config::ErrorMark mark(context.at);
    Checks checks;
    if (proto.has_rbac()) checks = compileChecks(proto.rbac(), context.child("rbac"));
    if (mark.hit()) return nullptr;
    return std::make_shared<RouteSettings>(std::move(checks));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::rbac
