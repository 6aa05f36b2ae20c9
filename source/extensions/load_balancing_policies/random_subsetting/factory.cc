#include "source/extensions/load_balancing_policies/random_subsetting/factory.h"

#include <memory>
#include <utility>

#include "envoy/extensions/load_balancing_policies/random_subsetting/v3/random_subsetting.pb.h"
#include "source/config/lb_policy_factory.h"
#include "source/extensions/load_balancing_policies/random_subsetting/policy.h"

namespace sluice::extensions::load_balancing_policies::random_subsetting {
namespace {

using Proto = ::envoy::extensions::load_balancing_policies::random_subsetting::v3::RandomSubsetting;

class Factory : public config::LbPolicyFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  LbPolicyPtr compile(const google::protobuf::Message& message, config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    if (!proto.has_subset_size()) {
      context.at.child("subset_size").error("has to be set: how many hosts of each priority get requests");
    }
    LbPolicyPtr inner = config::compileLbPolicies(proto.child_policy(), context.child("child_policy"));
    if (inner == nullptr || !proto.has_subset_size()) return nullptr;
    std::shared_ptr<const Seed> seed = context.shared<Seed>("random_subsetting seed");
    return std::make_shared<Policy>(std::move(inner), proto.subset_size().value(), std::move(seed));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.lb_policies.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::load_balancing_policies::random_subsetting
