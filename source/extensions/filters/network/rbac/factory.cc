#include "source/extensions/filters/network/rbac/factory.h"

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/network/rbac/v3/rbac.pb.h"
#include "source/config/connection_filter_factory.h"
#include "source/config/rbac_compiler.h"
#include "source/config/values.h"
#include "source/extensions/filters/network/rbac/filter.h"

namespace sluice::extensions::network_filters::rbac {
namespace {

using Proto = envoy::extensions::filters::network::rbac::v3::RBAC;

constexpr config::RbacPlace kPlace{"a network filter", match::kAddresses | match::kPeer | match::kConnection};

class Factory : public config::ConnectionFilterOf<Proto> {
 public:
  config::ConnectionFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    Settings settings;
    settings.rules = config::compileRbacRules(proto, kPlace, context);
    settings.shadow = config::compileRbacShadow(proto, kPlace, context);
    if (proto.enforcement_type() == Proto::CONTINUOUS) {
      context.at.child("enforcement_type").warn("nothing that rules ask for changes later: they are asked once");
    }
    settings.delay = config::compileMilliseconds(proto.delay_deny());
    const std::string base = absl::StrCat(proto.stat_prefix(), ".rbac.");
    const std::string shadow = config::rbacStatPrefix(base, proto.shadow_rules_stat_prefix());
    settings.stats = {context.stats->counter(base + "allowed"), context.stats->counter(base + "denied"),
                      context.stats->counter(shadow + "shadow_allowed"),
                      context.stats->counter(shadow + "shadow_denied")};
    return std::make_shared<Rbac>(std::move(settings));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.connection_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::network_filters::rbac
