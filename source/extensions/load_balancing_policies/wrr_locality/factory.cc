#include "source/extensions/load_balancing_policies/wrr_locality/factory.h"

#include <memory>
#include <utility>

#include "envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality.pb.h"
#include "source/config/lb_policy_factory.h"
#include "source/extensions/load_balancing_policies/wrr_locality/policy.h"

namespace sluice::extensions::load_balancing_policies::wrr_locality {
namespace {

using Proto = ::envoy::extensions::load_balancing_policies::wrr_locality::v3::WrrLocality;

class Factory : public config::LbPolicyFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  LbPolicyPtr compile(const google::protobuf::Message& message, config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    const char* const field = "endpoint_picking_policy";
    LbPolicyPtr inner = config::compileLbPolicies(proto.endpoint_picking_policy(), context.child(field));
    return inner == nullptr ? nullptr : std::make_shared<Policy>(std::move(inner));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.lb_policies.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::load_balancing_policies::wrr_locality
