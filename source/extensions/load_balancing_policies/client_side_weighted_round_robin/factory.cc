#include "source/extensions/load_balancing_policies/client_side_weighted_round_robin/factory.h"

#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3/client_side_weighted_round_robin.pb.h"
#include "source/config/lb_policy_factory.h"
#include "source/extensions/load_balancing_policies/client_side_weighted_round_robin/policy.h"

namespace sluice::extensions::load_balancing_policies::client_side_weighted_round_robin {
namespace {

using Proto =
    ::envoy::extensions::load_balancing_policies::client_side_weighted_round_robin::v3::ClientSideWeightedRoundRobin;
using std::chrono::milliseconds;

constexpr milliseconds kLeastUpdatePeriod{100};
constexpr milliseconds kStreamPeriod{10'000};  // unless said otherwise

milliseconds readPeriod(bool has, const google::protobuf::Duration& duration, milliseconds fallback) {
  return has ? config::compileMilliseconds(duration) : fallback;
}

void readStreams(const Proto& proto, const config::Context& context, milliseconds& period) {
  const config::Context at = context.child("oob_reporting_period");
  if (!proto.enable_oob_load_report().value()) {
    if (proto.has_oob_reporting_period()) at.warn("does nothing without enable_oob_load_report; set that too");
    return;
  }
  period = readPeriod(proto.has_oob_reporting_period(), proto.oob_reporting_period(), kStreamPeriod);
  if (period.count() == 0) at.error("has to be more than 0");
}

void readWeights(const Proto& proto, const config::Context& context, upstream::lb::LoadWeights::Settings& out) {
  out.blackout = readPeriod(proto.has_blackout_period(), proto.blackout_period(), out.blackout);
  const config::Context expiration = context.child("weight_expiration_period");
  out.expiration = readPeriod(proto.has_weight_expiration_period(), proto.weight_expiration_period(), out.expiration);
  if (out.expiration.count() == 0) expiration.error("has to be more than 0: no weight would ever count");
  if (proto.has_error_utilization_penalty()) out.error_penalty = proto.error_utilization_penalty().value();
  if (!std::isfinite(out.error_penalty) || out.error_penalty < 0) {
    context.child("error_utilization_penalty").error("has to be a number that is not negative");
  }
  for (int i = 0; i < proto.metric_names_for_computing_utilization_size(); ++i) {
    const std::string& name = proto.metric_names_for_computing_utilization(i);
    if (!upstream::lb::LoadMetric::parse(name)) {
      context.child("metric_names_for_computing_utilization", static_cast<size_t>(i))
          .error(absl::StrCat("no report has '", name,
                              "'; it may be the name of a field (mem_utilization, ...), or named_metrics.KEY, "
                              "utilization.KEY or request_cost.KEY"));
    }
    out.metric_names.push_back(name);
  }
}

class Factory : public config::LbPolicyFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  LbPolicyPtr compile(const google::protobuf::Message& message, config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    Settings settings;
    readStreams(proto, context.at, settings.weights.stream_period);
    readWeights(proto, context.at, settings.weights);
    const config::Context update = context.at.child("weight_update_period");
    settings.update_period =
        readPeriod(proto.has_weight_update_period(), proto.weight_update_period(), settings.update_period);
    if (settings.update_period < kLeastUpdatePeriod) {
      settings.update_period = kLeastUpdatePeriod;
      update.warn("is below 0.1s, and counts as that");
    }
    settings.slow_start = config::slowStartOf(proto.slow_start_config(), context.child("slow_start_config"));
    return std::make_shared<Policy>(std::move(settings));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.lb_policies.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::load_balancing_policies::client_side_weighted_round_robin
