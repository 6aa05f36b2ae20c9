#include "source/config/health_compiler.h"

#include <catch2/catch.hpp>

#include "source/config/test_world.h"
#include "source/upstream/cluster/transport_match.h"

using namespace std::chrono_literals;

namespace sluice::config {
namespace {

using envoy::config::cluster::v3::Cluster;
using upstream::cluster::Detection;
using upstream::cluster::HealthCheckConfig;
using upstream::cluster::OutlierConfig;

struct Compiled : testing::TestWorld {
  explicit Compiled(const std::string& json, Defaults defaults = Defaults::kEdge) {
    services.defaults = defaults;
    const auto proto = testing::fromJson<Cluster>(json);
    checks = compileHealthChecks(proto, at, services);
    if (!checks.empty()) check = checks.front();
    outlier = compileOutlierDetection(proto, at, services);
  }
  std::vector<std::shared_ptr<const HealthCheckConfig>> checks;
  std::shared_ptr<const HealthCheckConfig> check;  // the first
  std::shared_ptr<const OutlierConfig> outlier;
};

// A cluster with one check of these fields beside those that every one has.
std::string checkOf(const std::string& fields) {
  return R"({"healthChecks": [{"timeout": "1s", "interval": "5s", "healthyThreshold": 2, "unhealthyThreshold": 3, )" +
         fields + "}]}";
}

TEST_CASE("a cluster without checks and outlier detection has none") {
  const Compiled c("{}");
  CHECK(c.check == nullptr);
  CHECK(c.outlier == nullptr);
  CHECK(c.problems() == "");
}

TEST_CASE("a custom check is one of Redis") {
  const std::string type = "type.googleapis.com/envoy.extensions.health_checkers.redis.v3.Redis";
  const Compiled c(
      checkOf(R"("customHealthCheck": {"name": "r", "typedConfig": {"@type": ")" + type + R"(", "key": "down"}})"));
  REQUIRE(c.check);
  CHECK(c.check->kind == HealthCheckConfig::Kind::kRedis);
  CHECK(c.check->redis_key == "down");
  CHECK(Compiled(checkOf(R"("customHealthCheck": {"name": "r"})")).problems().find("typed_config: is missing") !=
        std::string::npos);
}

TEST_CASE("a check may have a transport of its own") {
  const std::string own = R"("tlsOptions": {"alpnProtocols": ["health", "h2"]},
      "transportSocketMatchCriteria": {"plain": true}, "tcpHealthCheck": {})";
  const Compiled c(checkOf(own));
  REQUIRE(c.check);
  CHECK(c.check->alpn == std::vector<std::string>{"health", "h2"});
  REQUIRE(c.check->transport_metadata);
  upstream::cluster::TransportMatch match;
  match.wanted.emplace_back("plain", stream::MetadataValue{true});
  CHECK(match.fits(*c.check->transport_metadata));
  match.wanted.emplace_back("other", stream::MetadataValue{true});
  CHECK_FALSE(match.fits(*c.check->transport_metadata));
  CHECK(c.problems() == "");
  REQUIRE(c.errors.warnings().size() == 1);
  CHECK(c.errors.warnings()[0].path == "health_checks[0].transport_socket_match_criteria");

  const Compiled none(checkOf(R"("tlsOptions": {"alpnProtocols": [""]}, "tcpHealthCheck": {})"));
  CHECK(none.check == nullptr);
  CHECK_THAT(none.problems(), Catch::Contains("tls_options.alpn_protocols[0]: a protocol's name has 1 to 255 bytes"));
  CHECK_FALSE(Compiled(checkOf(R"("tcpHealthCheck": {})")).check->transport_metadata);
}

TEST_CASE("an HTTP check has Envoy's defaults") {
  const Compiled c(checkOf(R"("httpHealthCheck": {"path": "/up"})"));
  REQUIRE(c.check);
  CHECK(c.check->kind == HealthCheckConfig::Kind::kHttp);
  CHECK(c.check->timeout == 1s);
  CHECK(c.check->interval == 5s);
  CHECK(c.check->unhealthy_interval == 5s);
  CHECK(c.check->healthy_edge_interval == 5s);
  CHECK(c.check->unhealthy_edge_interval == 5s);
  CHECK(c.check->no_traffic_interval == 60s);
  CHECK(c.check->no_traffic_healthy_interval == 60s);
  CHECK(c.check->healthy_threshold == 2);
  CHECK(c.check->unhealthy_threshold == 3);
  CHECK(c.check->reuse_connection);
  CHECK(c.check->http.method == "GET");
  CHECK_FALSE(c.check->http.http2);
  CHECK(c.check->http.expected.size() == 1);
  CHECK(c.check->http.expected[0].from == 200);
  CHECK(c.check->http.expected[0].to == 201);
  CHECK(c.check->http.response_buffer == 1024);
  CHECK(c.check->http.headers == std::vector<std::pair<std::string, std::string>>{{"user-agent", "Envoy/HC"}});
}

TEST_CASE("a cluster may have several checks, each with its own settings and its own faults") {
  const Compiled c(R"({"healthChecks": [
      {"timeout": "1s", "interval": "5s", "healthyThreshold": 2, "unhealthyThreshold": 3, "tcpHealthCheck": {}},
      {"timeout": "2s", "interval": "7s", "healthyThreshold": 1, "unhealthyThreshold": 1,
       "httpHealthCheck": {"path": "/up"}}]})");
  REQUIRE(c.checks.size() == 2);
  CHECK(c.checks[0]->kind == HealthCheckConfig::Kind::kTcp);
  CHECK(c.checks[0]->healthy_threshold == 2);
  CHECK(c.checks[1]->kind == HealthCheckConfig::Kind::kHttp);
  CHECK(c.checks[1]->interval == 7s);
  CHECK(c.problems() == "");

  const Compiled wrong(R"({"healthChecks": [
      {"timeout": "1s", "interval": "5s", "healthyThreshold": 2, "unhealthyThreshold": 3, "tcpHealthCheck": {}},
      {"timeout": "2s", "interval": "7s", "healthyThreshold": 0, "unhealthyThreshold": 1, "tcpHealthCheck": {}}]})");
  CHECK(wrong.problems().find("health_checks[1].healthy_threshold") != std::string::npos);
}

TEST_CASE("an interval that is not set is that of its kind") {
  const Compiled c(checkOf(R"("unhealthyInterval": "7s", "noTrafficInterval": "9s", "initialJitter": "1s",
      "intervalJitter": "2s", "intervalJitterPercent": 10, "healthyEdgeInterval": "3s",
      "tcpHealthCheck": {}, "reuseConnection": false)"));
  REQUIRE(c.check);
  CHECK(c.check->unhealthy_edge_interval == 7s);
  CHECK(c.check->no_traffic_healthy_interval == 9s);
  CHECK(c.check->initial_jitter == 1s);
  CHECK(c.check->interval_jitter == 2s);
  CHECK(c.check->interval_jitter_percent == 10);
  CHECK(c.check->healthy_edge_interval == 3s);
  CHECK_FALSE(c.check->reuse_connection);
  CHECK(c.check->tcp.receive.empty());
  const Compiled edge(checkOf(R"("unhealthyEdgeInterval": "4s", "noTrafficHealthyInterval": "8s", "tcpHealthCheck": {},
      "alwaysLogHealthCheckFailures": true, "alwaysLogHealthCheckSuccess": true)"));
  CHECK(edge.check->unhealthy_edge_interval == 4s);
  CHECK(edge.check->no_traffic_healthy_interval == 8s);
  CHECK(edge.check->log_failures);
  CHECK(edge.check->log_successes);
}

TEST_CASE("all of an HTTP check is taken") {
  const Compiled c(checkOf(R"("httpHealthCheck": {"path": "/up?x", "host": "h.example", "method": "POST",
      "codecClientType": "HTTP2", "send": {"binary": "cGluZw=="}, "receive": [{"text": "6f6B"}, {"binary": "IQ=="}],
      "requestHeadersToAdd": [{"header": {"key": "X-A", "value": "1"}},
                              {"header": {"key": "user-agent", "value": "me"},
                               "appendAction": "OVERWRITE_IF_EXISTS_OR_ADD"},
                              {"header": {"key": "x-a", "value": "2"}, "appendAction": "ADD_IF_ABSENT"}],
      "expectedStatuses": [{"start": 200, "end": 300}, {"start": 404, "end": 405}],
      "retriableStatuses": [{"start": 503, "end": 504}], "serviceNameMatcher": {"prefix": "web"},
      "responseBufferSize": 0})"));
  REQUIRE(c.check);
  const HealthCheckConfig::Http& http = c.check->http;
  CHECK(http.path == "/up?x");
  CHECK(http.host == "h.example");
  CHECK(http.method == "POST");
  CHECK(http.http2);
  CHECK(http.body == "ping");
  CHECK(http.receive == std::vector<std::string>{"ok", "!"});
  CHECK(http.headers == std::vector<std::pair<std::string, std::string>>{{"user-agent", "me"}, {"x-a", "1"}});
  CHECK(http.expected.size() == 2);
  CHECK(http.retriable[0].from == 503);
  CHECK(http.service_name("website"));
  CHECK_FALSE(http.service_name("mail"));
  CHECK(http.response_buffer == SIZE_MAX);
  const Compiled removed(checkOf(R"("httpHealthCheck": {"path": "/", "requestHeadersToRemove": ["User-Agent"]})"));
  CHECK(removed.check->http.headers.empty());
}

TEST_CASE("a gRPC check sends the name of its service, and its timeout") {
  const Compiled c(checkOf(R"("grpcHealthCheck": {"serviceName": "web", "authority": "a.example",
      "initialMetadata": [{"header": {"key": "x-a", "value": "1"}}]})"));
  REQUIRE(c.check);
  CHECK(c.check->kind == HealthCheckConfig::Kind::kGrpc);
  CHECK(c.check->http.http2);
  CHECK(c.check->http.host == "a.example");
  CHECK(c.check->http.body == std::string("\0\0\0\0\5\x0a\3web", 10));
  CHECK(c.check->http.headers.back() == std::pair<std::string, std::string>{"x-a", "1"});
  CHECK(c.check->http.headers[3] == std::pair<std::string, std::string>{"grpc-timeout", "1000m"});
  const Compiled whole(checkOf(R"("grpcHealthCheck": {})"));
  CHECK(whole.check->http.body == std::string(5, '\0'));
}

TEST_CASE("the service of a gRPC check may have a long name") {
  const std::string name(200, 'n');

  const Compiled c(checkOf(R"("grpcHealthCheck": {"serviceName": ")" + name + R"("})"));

  REQUIRE(c.check);
  CHECK(c.check->http.body == std::string("\0\0\0\0\xcb\x0a\xc8\x01", 8) + name);
}

TEST_CASE("what a check cannot do is refused, with its place and what to do") {
  const auto [fields, problem] = GENERATE(table<std::string, std::string>({
      {R"("httpHealthCheck": {"path": "up"})", "http_health_check.path: must begin with '/'"},
      {R"("httpHealthCheck": {"path": "/", "send": {"text": "00"}})", "send: a GET has no body; use POST"},
      {R"("httpHealthCheck": {"path": "/", "receive": [{"text": "0"}]})",
       "receive[0].text: needs pairs of hexadecimal"},
      {R"("httpHealthCheck": {"path": "/", "receive": [{"text": "0g"}]})",
       "receive[0].text: needs pairs of hexadecimal"},
      {R"("httpHealthCheck": {"path": "/", "codecClientType": "HTTP3"})", "codec_client_type: HTTP3 is not supported"},
      {R"("httpHealthCheck": {"path": "/", "expectedStatuses": [{"start": 200, "end": 200}]})",
       "expected_statuses[0]: [200, 200) is no range of statuses"},
      {R"("httpHealthCheck": {"path": "/", "retriableStatuses": [{"start": 99, "end": 200}]})",
       "retriable_statuses[0]: [99, 200) is no range of statuses"},
      {R"("httpHealthCheck": {"path": "/", "requestHeadersToAdd": [{"header": {"key": "x", "value": "%PROTOCOL%"}}]})",
       "request_headers_to_add[0].header.value: a check has no request whose values could be filled in"},
      {R"("tcpHealthCheck": {"send": {"text": "abc"}})", "tcp_health_check.send.text: needs pairs"},
      {R"("tcpHealthCheck": {}, "eventLogger": [{"name": "x", "typedConfig":
           {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s"}}])",
       "event_logger[0].typed_config: google.protobuf.Duration is no sink that is supported here"},
      {R"("tcpHealthCheck": {}, "healthyThreshold": 0)", "health_checks[0].healthy_threshold: must be 1 or more"},
  }));
  CAPTURE(fields);
  const Compiled c(fields.find("healthyThreshold") == std::string::npos
                       ? checkOf(fields)
                       : R"({"healthChecks": [{"timeout": "1s", "interval": "1s", "unhealthyThreshold": 1, )" + fields +
                             "}]}");
  CHECK(c.check == nullptr);
  CHECK(c.problems().find(problem) != std::string::npos);
}

TEST_CASE("events go to files, of either way to name them") {
  observability::StatsRegistry stats;
  observability::LogFiles files(stats);
  testing::TestWorld world(&files);
  const std::string folder = getenv("TEST_TMPDIR") ? getenv("TEST_TMPDIR") : "/tmp";
  const auto proto =
      testing::fromJson<Cluster>(checkOf(R"("tcpHealthCheck": {}, "eventLogPath": ")" + folder +
                                         R"(/a.log", "eventLogger": [{"name": "x", "typedConfig": {"@type":
      "type.googleapis.com/envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink",
      "eventLogPath": ")" + folder + R"(/b.log"}}])"));
  const auto checks = compileHealthChecks(proto, world.at, world.services);
  REQUIRE(checks.size() == 1);
  CHECK(checks[0]->logs.size() == 2);
  const auto bad = testing::fromJson<Cluster>(checkOf(R"("tcpHealthCheck": {}, "eventLogPath": "/no/such/folder/x")"));
  CHECK(compileHealthChecks(bad, world.at, world.services).empty());
  CHECK(world.problems().find("health_checks[0].event_log_path: ") != std::string::npos);
}

TEST_CASE("outlier detection has Envoy's defaults, but that one host may always be ejected") {
  const Compiled c(R"({"outlierDetection": {}})");
  REQUIRE(c.outlier);
  CHECK(c.outlier->consecutive_5xx == 5);
  CHECK(c.outlier->consecutive_gateway_failure == 5);
  CHECK(c.outlier->consecutive_local_origin_failure == 5);
  CHECK_FALSE(c.outlier->split_local_origin);
  CHECK(c.outlier->interval == 10s);
  CHECK(c.outlier->base_ejection_time == 30s);
  CHECK(c.outlier->max_ejection_time == 300s);
  CHECK(c.outlier->max_ejection_time_jitter == 0s);
  CHECK(c.outlier->max_ejection_percent == 10);
  CHECK(c.outlier->check_ends_ejection);
  CHECK(c.outlier->success_rate.hosts == 5);
  CHECK(c.outlier->success_rate.requests == 100);
  CHECK(c.outlier->success_rate_stdev_factor == 1900);
  CHECK(c.outlier->failure_percentage.hosts == 5);
  CHECK(c.outlier->failure_percentage.requests == 50);
  CHECK(c.outlier->failure_percentage_threshold == 85);
  CHECK(c.outlier->enforcing == std::array<uint32_t, 7>{100, 0, 100, 100, 100, 0, 0});
  CHECK(c.outlier->always_eject_one);
  CHECK_FALSE(Compiled(R"({"outlierDetection": {}})", Defaults::kEnvoy).outlier->always_eject_one);
  CHECK_FALSE(Compiled(R"({"outlierDetection": {"alwaysEjectOneHost": false}})").outlier->always_eject_one);
  CHECK_FALSE(Compiled(R"({"outlierDetection": {"maxEjectionPercent": 0}})").outlier->always_eject_one);
}

TEST_CASE("all of outlier detection is taken") {
  const Compiled c(R"({"outlierDetection": {"consecutive5xx": 1, "interval": "2s", "baseEjectionTime": "3s",
      "maxEjectionPercent": 4, "enforcingConsecutive5xx": 5, "enforcingSuccessRate": 6, "successRateMinimumHosts": 7,
      "successRateRequestVolume": 8, "successRateStdevFactor": 9, "consecutiveGatewayFailure": 10,
      "enforcingConsecutiveGatewayFailure": 11, "splitExternalLocalOriginErrors": true,
      "consecutiveLocalOriginFailure": 13, "enforcingConsecutiveLocalOriginFailure": 14,
      "enforcingLocalOriginSuccessRate": 15, "failurePercentageThreshold": 16, "enforcingFailurePercentage": 17,
      "enforcingFailurePercentageLocalOrigin": 18, "failurePercentageMinimumHosts": 19,
      "failurePercentageRequestVolume": 20, "maxEjectionTime": "21s", "maxEjectionTimeJitter": "22s",
      "successfulActiveHealthCheckUnejectHost": false}})");
  REQUIRE(c.outlier);
  const OutlierConfig& o = *c.outlier;
  CHECK(o.consecutive_5xx == 1);
  CHECK(o.interval == 2s);
  CHECK(o.base_ejection_time == 3s);
  CHECK(o.max_ejection_percent == 4);
  CHECK(o.success_rate.hosts == 7);
  CHECK(o.success_rate.requests == 8);
  CHECK(o.success_rate_stdev_factor == 9);
  CHECK(o.consecutive_gateway_failure == 10);
  CHECK(o.split_local_origin);
  CHECK(o.consecutive_local_origin_failure == 13);
  CHECK(o.failure_percentage_threshold == 16);
  CHECK(o.failure_percentage.hosts == 19);
  CHECK(o.failure_percentage.requests == 20);
  CHECK(o.max_ejection_time == 21s);
  CHECK(o.max_ejection_time_jitter == 22s);
  CHECK_FALSE(o.check_ends_ejection);
  CHECK(o.enforcing == std::array<uint32_t, 7>{5, 11, 6, 14, 15, 17, 18});
}

TEST_CASE("the longest ejection is at least the first one") {
  CHECK(Compiled(R"({"outlierDetection": {"baseEjectionTime": "400s"}})").outlier->max_ejection_time == 400s);
  const Compiled c(R"({"outlierDetection": {"baseEjectionTime": "4s", "maxEjectionTime": "3s"}})");
  CHECK(c.problems().find("outlier_detection.max_ejection_time: must not be less than base_ejection_time") !=
        std::string::npos);
}

}  // namespace
}  // namespace sluice::config
