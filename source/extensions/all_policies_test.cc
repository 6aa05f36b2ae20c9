// Policies that stand around others, or go by what hosts report, as configured.
#include <string>

#include "source/config/cluster_compiler.h"
#include "source/config/loader.h"
#include "source/config/validate.h"
#include "source/extensions/load_balancing_policies/client_side_weighted_round_robin/policy.h"
#include "source/extensions/test_all.h"

namespace sluice::extensions {
namespace {

using namespace std::chrono_literals;
using Weighted = load_balancing_policies::client_side_weighted_round_robin::Policy;

struct Compiled {
  std::shared_ptr<const upstream::cluster::ClusterConfig> config;  // null: there are errors
  std::string errors, warnings;
};

const std::string kPolicies = "type.googleapis.com/envoy.extensions.load_balancing_policies.";

// A list of one policy.
std::string listOf(const std::string& type, const std::string& fields = "") {
  return "{policies: [{typed_extension_config: {name: p, typed_config: {'@type': " + kPolicies + type +
         (fields.empty() ? "" : ", " + fields) + "}}}]}";
}
std::string weighted(const std::string& fields = "") {
  return listOf("client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin", fields);
}
const std::string kRobin = listOf("round_robin.v3.RoundRobin");

Compiled compile(const std::string& list) {
  World world;
  config::ErrorList errors;
  config::Positions positions;
  envoy::config::cluster::v3::Cluster proto;
  const std::string text = "name: c\nload_assignment: {cluster_name: c}\nload_balancing_policy: " + list;
  config::Loader(errors, positions).loadText(text, config::Format::kYaml, "test", proto);
  Compiled out;
  const config::Context at(errors);
  if (errors.empty() && config::validate(proto, at)) out.config = compileCluster(proto, at, world.services);
  CHECK((out.config == nullptr) == !errors.empty());
  for (const config::ConfigError& warning : errors.warnings()) out.warnings += warning.toString() + "\n";
  out.errors = errors.toString();
  return out;
}

const Weighted& weightedOf(const Compiled& compiled) {
  REQUIRE(compiled.config);
  return dynamic_cast<const Weighted&>(*compiled.config->lb.policy);
}

TEST_CASE("weights by load are as documented where nothing is set") {
  const auto compiled = compile(weighted());
  const auto& settings = weightedOf(compiled).settings();
  CHECK(compiled.warnings.empty());
  CHECK(settings.weights.blackout == 10s);
  CHECK(settings.weights.expiration == 180s);
  CHECK(settings.weights.error_penalty == 1.0);
  CHECK(settings.weights.metric_names.empty());
  CHECK(settings.update_period == 1s);
  CHECK_FALSE(settings.slow_start.on());
  CHECK_FALSE(weightedOf(compiled).loadWeights()->byStream());
}

TEST_CASE("weights by load are as set") {
  const auto compiled =
      compile(weighted("blackout_period: 0s, weight_expiration_period: 7s, weight_update_period: 0.25s, "
                       "error_utilization_penalty: 2.5, metric_names_for_computing_utilization: [named_metrics.a.b, "
                       "mem_utilization], slow_start_config: {slow_start_window: 9s}, enable_oob_load_report: true"));
  const auto& settings = weightedOf(compiled).settings();
  CHECK(settings.weights.blackout == 0s);
  CHECK(settings.weights.expiration == 7s);
  CHECK(settings.update_period == 250ms);
  CHECK(settings.weights.error_penalty == 2.5);
  CHECK(settings.weights.metric_names == std::vector<std::string>{"named_metrics.a.b", "mem_utilization"});
  CHECK(settings.slow_start.window == 9s);
  CHECK(settings.weights.stream_period == 10s);
  const auto often = compile(weighted("enable_oob_load_report: true, oob_reporting_period: 3s"));
  CHECK(weightedOf(often).settings().weights.stream_period == 3s);
}

TEST_CASE("what cannot be with weights by load is refused, what has no effect is warned of") {
  CHECK_SAYS(compile(weighted("blackout_period: -1s")).errors, "blackout_period: is negative");
  CHECK_SAYS(compile(weighted("weight_expiration_period: 0s")).errors, "weight_expiration_period: has to be more");
  CHECK_SAYS(compile(weighted("error_utilization_penalty: -0.5")).errors, "error_utilization_penalty: has to be");
  CHECK_SAYS(compile(weighted("error_utilization_penalty: NaN")).errors, "error_utilization_penalty: has to be");
  CHECK_SAYS(compile(weighted("metric_names_for_computing_utilization: [eps, gpu]")).errors,
             "metric_names_for_computing_utilization[1]: no report has 'gpu'");
  CHECK_SAYS(compile(weighted("enable_oob_load_report: true, oob_reporting_period: 0s")).errors,
             "oob_reporting_period: has to be more");
  CHECK_SAYS(compile(weighted("oob_reporting_period: 3s")).warnings, "oob_reporting_period: does nothing");
  const auto fast = compile(weighted("weight_update_period: 0.01s"));
  CHECK_SAYS(fast.warnings, "weight_update_period: is below 0.1s");
  CHECK(weightedOf(fast).settings().update_period == 100ms);
}

TEST_CASE("a policy by its number beside a list of them is warned of") {
  CHECK_SAYS(compile(kRobin + "\nlb_policy: RANDOM").warnings, "lb_policy: is not used beside load_balancing_policy");
  CHECK(compile(kRobin + "\nlb_policy: LOAD_BALANCING_POLICY_CONFIG").warnings == "");
}

TEST_CASE("policies around others say what those say") {
  const auto around = [](const std::string& type, const std::string& field, const std::string& inner,
                         const std::string& more = "") { return listOf(type, more + field + ": " + inner); };
  const auto wrr = compile(around("wrr_locality.v3.WrrLocality", "endpoint_picking_policy", weighted()));
  REQUIRE(wrr.config);
  CHECK(wrr.config->lb.hosts.locality_weighted);
  CHECK(wrr.config->lb.policy->loadWeights() != nullptr);

  const std::string panics =
      listOf("round_robin.v3.RoundRobin", "locality_lb_config: {zone_aware_lb_config: {fail_traffic_on_panic: true}}");
  const std::string sources = "override_host_sources: [{header: X-Host}, {metadata: {key: f, path: [{key: a}]}}], ";
  const auto named = compile(around("override_host.v3.OverrideHost", "fallback_policy", panics, sources));
  REQUIRE(named.config);
  CHECK(named.config->lb.hosts.fail_on_panic);
  CHECK_FALSE(named.config->lb.hosts.locality_weighted);

  const auto some =
      compile(around("random_subsetting.v3.RandomSubsetting", "child_policy", weighted(), "subset_size: 2, "));
  REQUIRE(some.config);
  CHECK(some.config->lb.policy->loadWeights() != nullptr);
}

TEST_CASE("policies around others are refused with what is wrong of them or those") {
  CHECK_SAYS(
      compile(listOf("wrr_locality.v3.WrrLocality", "endpoint_picking_policy: " + weighted("blackout_period: -1s")))
          .errors,
      "typed_config.endpoint_picking_policy.policies[0].typed_extension_config.typed_config.blackout_period: ");
  CHECK_SAYS(compile(listOf("random_subsetting.v3.RandomSubsetting", "child_policy: " + kRobin)).errors,
             "subset_size: has to be set");
  CHECK_SAYS(compile(listOf("override_host.v3.OverrideHost", "override_host_sources: [{}], fallback_policy: " + kRobin))
                 .errors,
             "override_host_sources[0]: needs either a header or metadata");
  CHECK_SAYS(
      compile(listOf("override_host.v3.OverrideHost",
                     "override_host_sources: [{header: a, metadata: {key: f, path: [{key: a}]}}], fallback_policy: " +
                         kRobin))
          .errors,
      "override_host_sources[0]: needs either a header or metadata");
  CHECK_SAYS(compile(listOf("override_host.v3.OverrideHost",
                            "override_host_sources: [{header: 'x host'}], fallback_policy: " + kRobin))
                 .errors,
             "override_host_sources[0].header: is no header name");
}

}  // namespace
}  // namespace sluice::extensions
