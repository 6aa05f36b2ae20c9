#include "source/server/options.h"

#include <catch2/catch.hpp>

namespace sluice::server {
namespace {

Options good(const std::vector<std::string>& arguments) {
  const ParsedOptions parsed = parseOptions(arguments);
  INFO(parsed.text);
  REQUIRE(parsed.options);
  CHECK_FALSE(parsed.error);
  return *parsed.options;
}

// The first line of the usage error.
std::string bad(const std::vector<std::string>& arguments) {
  const ParsedOptions parsed = parseOptions(arguments);
  REQUIRE(parsed.error);
  CHECK_FALSE(parsed.options);
  CHECK(parsed.text.find("usage: sluice") != std::string::npos);
  return parsed.text.substr(0, parsed.text.find('\n'));
}

TEST_CASE("every option is understood, with a space or with an equals sign") {
  const Options o = good({"-c",
                          "a.yaml",
                          "--config-yaml",
                          "admin: {}",
                          "--mode=validate",
                          "--concurrency",
                          "4",
                          "--service-node=n",
                          "--service-cluster",
                          "c",
                          "-l",
                          "debug",
                          "--admin-address-path",
                          "f",
                          "--drain-time-s=7",
                          "--log-format",
                          "%v",
                          "--defaults",
                          "envoy",
                          "--reject-unknown-dynamic-fields"});
  CHECK(o.config_path == "a.yaml");
  CHECK(o.config_yaml == "admin: {}");
  CHECK(o.validate);
  CHECK(o.concurrency == 4);
  CHECK(o.service_node == "n");
  CHECK(o.service_cluster == "c");
  CHECK(o.log_level == observability::LogLevel::kDebug);
  CHECK(o.admin_address_path == "f");
  CHECK(o.log_format == "%v");
  CHECK(o.drain_time == std::chrono::seconds(7));
  CHECK(o.defaults == config::Defaults::kEnvoy);
  CHECK(o.reject_unknown_dynamic_fields);
  CHECK(good({"--config-path=b"}).config_path == "b");
  CHECK(good({"--config-yaml=a: b=c"}).config_yaml == "a: b=c");
}

TEST_CASE("rules that are reported only are named, in one list or several") {
  using http::StrictRule;
  const Options o = good({"-c", "a", "--report-only=host_conflict", "--report-only", "underscore_names"});
  CHECK(o.report_only.has(StrictRule::kHostConflict));
  CHECK(o.report_only.has(StrictRule::kUnderscoreNames));
  CHECK_FALSE(o.report_only.has(StrictRule::kUnknownExpectation));
  CHECK(good({"-c", "a", "--report-only=all"}).report_only.has(StrictRule::kValueEdgeSpace));
  CHECK(good({"-c", "a"}).report_only.empty());
  CHECK(bad({"-c", "a", "--report-only=obs_fold"}) ==
        "option '--report-only': 'obs_fold' is no rule that may be reported only; those are connect_port, "
        "host_conflict, underscore_names, unknown_expectation, value_edge_space, and all of them are 'all'");
}

TEST_CASE("what is not given has its default") {
  const Options o = good({"-c", "a"});
  CHECK_FALSE(o.validate);
  CHECK(o.concurrency == 0);
  CHECK(o.log_level == observability::LogLevel::kInfo);
  CHECK(o.drain_time == std::chrono::seconds(30));
  CHECK(o.defaults == config::Defaults::kEdge);
  CHECK_FALSE(o.reject_unknown_dynamic_fields);
}

TEST_CASE("routes wait for clusters unless the switch or Envoy's defaults say otherwise") {
  using namespace std::chrono_literals;
  CHECK(parseOptions({"-c", "a"}).options->clusterWait() == 5s);
  CHECK(parseOptions({"-c", "a", "--defaults", "envoy"}).options->clusterWait() == 0s);
  CHECK(parseOptions({"-c", "a", "--defaults", "envoy", "--cluster-wait-ms", "20"}).options->clusterWait() == 20ms);
  CHECK(parseOptions({"-c", "a", "--cluster-wait-ms=0"}).options->clusterWait() == 0s);
}

TEST_CASE("what is wrong is said, with the nearest known name") {
  CHECK(bad({}) == "no configuration; give -c FILE or --config-yaml YAML");
  CHECK(bad({"--mode", "validate"}) == "no configuration; give -c FILE or --config-yaml YAML");
  CHECK(bad({"-c"}) == "option '--config-path' needs a value");
  CHECK(bad({"--concurency", "1"}) == "unknown option '--concurency'; did you mean --concurrency?");
  CHECK(bad({"-c", "a", "stray"}).starts_with("unknown option 'stray'"));
  CHECK(bad({"-c", "a", "--concurrency", "many"}) == "option '--concurrency': 'many' is not a number from 0 to 1024");
  for (const char* number : {"-1", "1025", "99999999999", "1x", ""}) {
    INFO(number);
    CHECK(bad({"-c", "a", "--concurrency", number}).starts_with("option '--concurrency': "));
  }
  CHECK(bad({"-c", "a", "--mode", "init_only"}).starts_with("option '--mode': "));
  CHECK(bad({"-c", "a", "--defaults", "nginx"}).starts_with("option '--defaults': "));
  CHECK(bad({"-c", "a", "-l", "loud"}).starts_with("option '--log-level': "));
  CHECK(bad({"-c", "a", "--cluster-wait-ms", "600001"}).starts_with("option '--cluster-wait-ms': "));
  CHECK(bad({"-c", "a", "--drain-time-s", "86401"}).starts_with("option '--drain-time-s': "));
}

TEST_CASE("help and version are printed and are no errors") {
  for (const char* flag : {"--help", "-h", "--version"}) {
    const ParsedOptions parsed = parseOptions({"--mode", "serve", flag});
    CHECK_FALSE(parsed.error);
    CHECK_FALSE(parsed.options);
    CHECK_FALSE(parsed.text.empty());
  }
}

}  // namespace
}  // namespace sluice::server
