#include "source/config/lb_policy_factory.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "source/config/any_type.h"
#include "source/config/registry.h"

namespace sluice::config {

LbPolicyFactory::LbPolicyPtr compileLbPolicies(const envoy::config::cluster::v3::LoadBalancingPolicy& list,
                                               const FactoryContext& context) {
  const auto& table = context.services.registry.lb_policies;
  for (int i = 0; i < list.policies_size(); ++i) {
    const google::protobuf::Any& any = list.policies(i).typed_extension_config().typed_config();
    if (table.find(describedType(any)) == nullptr) continue;
    const FactoryContext where =
        context.child("policies", static_cast<size_t>(i)).child("typed_extension_config").child("typed_config");
    return table.compile(any, where);
  }
  if (list.policies_size() == 0) {
    context.at.error("needs a policy to choose hosts by, in policies");
    return nullptr;
  }
  std::string named, known;
  for (const auto& policy : list.policies()) {
    absl::StrAppend(&named, named.empty() ? "" : ", ", describedType(policy.typed_extension_config().typed_config()));
  }
  for (const std::string_view type : table.configTypes()) {
    absl::StrAppend(&known, known.empty() ? "" : ", ", std::string(type));
  }
  context.at.error(absl::StrCat("none of these policies is supported: ", named, "; add one of: ", known));
  return nullptr;
}

}  // namespace sluice::config
