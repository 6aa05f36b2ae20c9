#include "source/extensions/filters/http/health_check/filter.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/http/health_check/v3/health_check.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/http/health_check/factory.h"
#include "source/upstream/test_cluster.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

using namespace std::chrono_literals;

namespace sluice::extensions::http_filters::health_check {
namespace {

using filter::testing::Fields;
using filter::testing::Harness;
using stream::ResponseFlag;
using Chain = std::vector<std::shared_ptr<const filter::HttpFilterFactory>>;

// Compiled from YAML, on a server whose checks fail if it says so.
struct Compiled {
  explicit Compiled(const std::string& yaml) {
    registerFactory(world.registry);
    world.services.node_cluster = "edge";
    world.services.checks_fail = failed;
    envoy::extensions::filters::http::health_check::v3::HealthCheck proto;
    if (!world.load(yaml, proto)) return;
    factory = world.registry.http_filters.find(proto.GetDescriptor()->full_name())->compile(proto, world.context());
  }
  config::testing::TestWorld world;
  std::shared_ptr<std::atomic<bool>> failed = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<const filter::HttpFilterFactory> factory;
};

const std::string kMarked = R"("headers": [{"name": "x-check", "string_match": {"exact": "1"}}])";
const std::string kAnswers = R"({"pass_through_mode": false, )" + kMarked + "}";
const std::string kPasses = R"({"pass_through_mode": true, )" + kMarked + "}";

TEST_CASE("a check is answered here, with the name of the service, and other requests go on") {
  const Compiled compiled(kAnswers);
  Harness check({compiled.factory});
  check.request("GET", {{"x-check", "1"}}, true);
  CHECK(check.client.status == 200);
  CHECK(check.client.body.empty());
  CHECK(check.terminal.heads == 0);
  CHECK(check.stream.info().response_code_details == "health_check_ok");
  CHECK(check.stream.info().health_check);
  CHECK(std::count(check.client.headers.begin(), check.client.headers.end(),
                   std::pair<std::string, std::string>{"x-envoy-upstream-healthchecked-cluster", "edge"}) == 1);

  Harness other({compiled.factory});
  other.request("GET", {}, true);
  other.respond(200, {}, true);
  CHECK(other.terminal.heads == 1);
  CHECK(other.client.headers.empty());
  CHECK_FALSE(other.stream.info().health_check);
}

TEST_CASE("checks of a server that is to fail them are answered 503 in either mode, and other answers tell") {
  for (const std::string& mode : {kAnswers, kPasses}) {
    const Compiled compiled(mode);
    *compiled.failed = true;
    Harness check({compiled.factory});
    check.request("GET", {{"x-check", "1"}}, true);
    CHECK(check.client.status == 503);
    CHECK(check.terminal.heads == 0);
    CHECK(check.stream.info().response_code_details == "health_check_failed");
    CHECK(check.stream.info().response_flags.has(ResponseFlag::kFailedLocalHealthCheck));

    Harness other({compiled.factory});
    other.request("GET", {}, true);
    other.respond(200, {}, true);
    CHECK(other.client.headers == Fields{{"x-envoy-immediate-health-check-fail", "true"}});
  }
}

TEST_CASE("a check that is passed through is answered by the upstream, and marked") {
  const Compiled compiled(kPasses);
  Harness h({compiled.factory});
  h.request("GET", {{"x-check", "1"}}, true);
  CHECK(h.terminal.heads == 1);
  h.respond(204, {}, true);
  CHECK(h.client.status == 204);
  CHECK(h.client.headers == Fields{{"x-envoy-upstream-healthchecked-cluster", "edge"}});
}

TEST_CASE("an answer of the upstream is good for the time that the cache has") {
  const Compiled compiled(R"({"pass_through_mode": true, "cache_time": "2s", )" + kMarked + "}");
  const auto ask = [&](std::chrono::seconds at) {
    auto h = std::make_unique<Harness>(Chain{compiled.factory});
    h->stream.time = filter::Stream::Time(at);
    h->request("GET", {{"x-check", "1"}}, true);
    return h;
  };
  auto first = ask(100s);
  REQUIRE(first->terminal.heads == 1);
  first->respond(500, {{"x-envoy-degraded", ""}}, true);

  auto second = ask(101s);
  CHECK(second->terminal.heads == 0);
  CHECK(second->client.status == 500);
  CHECK(second->stream.info().response_code_details == "health_check_cached");
  CHECK(second->stream.info().response_flags.has(ResponseFlag::kFailedLocalHealthCheck));
  CHECK(std::count(second->client.headers.begin(), second->client.headers.end(),
                   std::pair<std::string, std::string>{"x-envoy-degraded", ""}) == 1);

  auto third = ask(102s);
  REQUIRE(third->terminal.heads == 1);
  third->respond(200, {}, true);
  CHECK(ask(103s)->client.status == 200);
}

TEST_CASE("what other requests are answered is not kept") {
  const Compiled compiled(R"({"pass_through_mode": true, "cache_time": "2s", )" + kMarked + "}");
  Harness other({compiled.factory});
  other.request("GET", {}, true);
  other.respond(500, {}, true);
  Harness check({compiled.factory});
  check.request("GET", {{"x-check", "1"}}, true);
  CHECK(check.terminal.heads == 1);
}

// Asks once, with a cluster of one degraded, one healthy and two other hosts.
std::pair<uint16_t, std::string> askWithCluster(const std::string& yaml, bool with_hosts) {
  const Compiled compiled(yaml);
  upstream::TestCluster cluster;
  upstream::cluster::Assignment assignment;
  if (with_hosts) {
    using upstream::cluster::Health;
    auto& locality = assignment.localities.emplace_back();
    for (const Health health : {Health::kDegraded, Health::kHealthy, Health::kUnhealthy, Health::kUnhealthy}) {
      auto& endpoint = locality.endpoints.emplace_back();
      endpoint.address = *net::Address::fromIp("10.0.0.1", static_cast<uint16_t>(locality.endpoints.size()));
      endpoint.health = health;
    }
  }
  cluster.assign(assignment);
  Harness h({compiled.factory});
  h.stream.worker().add(cluster.clusters);
  h.request("GET", {}, true);
  return {h.client.status, std::string(h.stream.info().response_code_details)};
}

std::string least(const std::string& cluster, int percent) {
  return R"({"pass_through_mode": false, "cluster_min_healthy_percentages": {")" + cluster + R"(": {"value": )" +
         std::to_string(percent) + "}}}";
}

TEST_CASE("a cluster with fewer healthy hosts than it is to have fails checks") {
  using Answer = std::pair<uint16_t, std::string>;
  CHECK(askWithCluster(least("c", 50), true) == Answer{200, "health_check_ok_cluster_healthy"});
  CHECK(askWithCluster(least("c", 51), true) == Answer{503, "health_check_failed_cluster_unhealthy"});
  CHECK(askWithCluster(least("c", 0), false) == Answer{200, "health_check_ok_cluster_healthy"});
  CHECK(askWithCluster(least("c", 1), false) == Answer{503, "health_check_failed_cluster_empty"});
  CHECK(askWithCluster(least("other", 0), true) == Answer{503, "health_check_failed_no_cluster_found"});
}

TEST_CASE("what contradicts the mode is refused, and what does nothing there is told") {
  const Compiled cache(R"({"pass_through_mode": false, "cache_time": "1s"})");
  CHECK_THAT(cache.world.problems(), Catch::Contains("cache_time: needs pass_through_mode"));
  const Compiled percent(least("c", 101));
  CHECK_THAT(percent.world.problems(), Catch::Contains("cluster_min_healthy_percentages"));
  const Compiled unused(R"({"pass_through_mode": true, "cluster_min_healthy_percentages": {"c": {"value": 1}}})");
  CHECK(unused.world.problems().empty());
  REQUIRE(unused.world.errors.warnings().size() == 1);
  CHECK_THAT(unused.world.errors.warnings()[0].message, Catch::Contains("does nothing with pass_through_mode"));
}

TEST_CASE("it passes the interleaving suite in each mode") {
  for (const std::string& mode : {kAnswers, std::string(R"({"pass_through_mode": true})"),
                                  std::string(R"({"pass_through_mode": true, "cache_time": "1s", )" + kMarked + "}")}) {
    const Compiled compiled(mode);
    filter::testing::Suite suite;
    suite.chain = [&compiled] { return Chain{compiled.factory}; };
    REQUIRE(runInterleavings(suite) == "");
    REQUIRE(runOverCodecs(suite) == "");
  }
}

}  // namespace
}  // namespace sluice::extensions::http_filters::health_check
