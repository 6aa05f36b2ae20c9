#include "source/extensions/load_balancing_policies/least_request/factory.h"

#include "absl/strings/str_cat.h"
#include "envoy/extensions/load_balancing_policies/least_request/v3/least_request.pb.h"
#include "source/config/lb_policy_factory.h"
#include "source/config/zone_aware.h"
#include "source/extensions/load_balancing_policies/least_request/policy.h"

namespace sluice::extensions::load_balancing_policies::least_request {
namespace {

using Proto = envoy::extensions::load_balancing_policies::least_request::v3::LeastRequest;
using envoy::config::cluster::v3::Cluster;

constexpr uint32_t kMaxChoiceCount = 1000;

// `proto`: a message with these fields; `context` stands at it.
template <typename Message>
void read(const Message& proto, const config::FactoryContext& context, Settings& out) {
  out.slow_start = config::slowStartOf(proto.slow_start_config(), context.child("slow_start_config"));
  if (proto.has_active_request_bias()) {
    out.active_request_bias = config::compileNumber(proto.active_request_bias(), context.services.runtime.get());
    if (!(out.active_request_bias >= 0)) context.at.child("active_request_bias").error("has to be 0 or more");
  }
  if (!proto.has_choice_count()) return;
  out.choice_count = proto.choice_count().value();
  if (out.choice_count < 2 || out.choice_count > kMaxChoiceCount) {
    context.at.child("choice_count")
        .error(absl::StrCat("the number of hosts to compare must be from 2 to ", kMaxChoiceCount, ", not ",
                            out.choice_count));
  }
}

class Factory : public config::LbPolicyFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::optional<Cluster::LbPolicy> legacyName() const override { return Cluster::LEAST_REQUEST; }

  LbPolicyPtr compile(const google::protobuf::Message& message, config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    Settings settings;
    settings.locality_weighted = proto.locality_lb_config().has_locality_weighted_lb_config();
    settings.fails_on_panic = proto.locality_lb_config().zone_aware_lb_config().fail_traffic_on_panic();
    settings.zones = config::zonesOf(proto.locality_lb_config(), context.child("locality_lb_config"));
    read(proto, context, settings);
    return std::make_shared<Policy>(settings);
  }
  LbPolicyPtr compileLegacy(const Cluster& cluster, config::FactoryContext context) const override {
    Settings settings;
    settings.zones = config::zonesOf(cluster.common_lb_config(), context.child("common_lb_config"));
    read(cluster.least_request_lb_config(), context.child("least_request_lb_config"), settings);
    return std::make_shared<Policy>(settings);
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.lb_policies.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::load_balancing_policies::least_request
