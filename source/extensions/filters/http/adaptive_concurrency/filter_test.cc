#include "source/extensions/filters/http/adaptive_concurrency/filter.h"

#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <vector>

#include "envoy/extensions/filters/http/adaptive_concurrency/v3/adaptive_concurrency.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/http/adaptive_concurrency/factory.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::adaptive_concurrency {
namespace {

using Proto = envoy::extensions::filters::http::adaptive_concurrency::v3::AdaptiveConcurrency;
using filter::testing::Harness;
using std::chrono::milliseconds;

const std::string kGradient =
    "gradient_controller_config: {concurrency_limit_params: {concurrency_update_interval: 0.1s";

// With parameters of the limit and of measurements.
std::string rules(const std::string& limit, const std::string& measuring) {
  return kGradient + (limit.empty() ? "" : ", " + limit) + "}, min_rtt_calc_params: {" + measuring + "}}";
}

struct World : config::testing::TestWorld {
  World() { registerFactory(registry); }

  std::shared_ptr<const filter::HttpFilterFactory> compile(const std::string& yaml) {
    Proto proto;
    if (!load("{" + yaml + "}", proto)) return nullptr;
    const auto* factory = registry.http_filters.find(Proto::descriptor()->full_name());
    return factory->compile(proto, holding.context(at, "http.p.", "listener 'l'/" + identity));
  }
  int64_t stat(const std::string& name) {
    stats.showLate(cells);
    return stats.valueOf("http.p.adaptive_concurrency.gradient_controller." + name).value_or(-1);
  }

  std::string identity = "filter#0";
  observability::StatsCells& cells = stats.makeCells();
  config::Holding holding{services};  // of the stats
};

Settings settingsOf(uint32_t limit) {
  Rules rules;
  rules.update_interval = milliseconds(100);
  rules.fixed_best = milliseconds(10);
  rules.measure_limit = rules.min_limit = limit;
  Settings out;
  out.controller = std::make_shared<Controller>(rules);
  out.blocked = {1};
  return out;
}

TEST_CASE("what is over the limit is refused, and counted") {
  const auto factory = std::make_shared<FilterFactory>(settingsOf(1));
  Harness first({factory}), second({factory});
  first.request("GET", {}, true);
  second.request("GET", {}, true);
  CHECK(first.terminal.complete);
  CHECK(second.client.status == 503);
  CHECK(second.client.body == "reached concurrency limit");
  CHECK(second.stream.info().response_code_details == "reached_concurrency_limit");
  CHECK(second.counted({1}) == 1);
  CHECK(first.counted({1}) == 0);
  CHECK(second.terminal.heads == 0);
}

// Whether a request has its place when that has been done, and how many latencies counted.
struct Outcome {
  uint32_t running;
  bool counted;
};

template <typename Act>
Outcome outcomeOf(Act act, bool tunnel = false) {
  const Settings settings = settingsOf(1);
  Harness h({std::make_shared<FilterFactory>(settings)});
  if (tunnel) h.stream.request().upgrade = "websocket";
  h.request("GET", {}, true);
  REQUIRE(settings.controller->running() == 1);
  h.stream.time += milliseconds(50);
  act(h);
  const uint32_t running = settings.controller->running();
  // The interval is over: whatever counted is taken now.
  h.runner.reset();
  CHECK(settings.controller->admit(h.stream.time + milliseconds(200)));
  return {running, settings.controller->shown().latency_us > 0};
}

TEST_CASE("an answer counts, and its place is free, when its last byte has passed") {
  const Outcome head = outcomeOf([](Harness& h) { h.respond(204, {}, true); });
  CHECK(head.running == 0);
  CHECK(head.counted);
  const Outcome body = outcomeOf([](Harness& h) {
    h.respond(200, {}, false);
    h.runner->responseData("abc", false);
    h.runner->responseData("def", true);
  });
  CHECK(body.running == 0);
  CHECK(body.counted);
  const Outcome trailers = outcomeOf([](Harness& h) {
    h.respond(200, {}, false);
    h.runner->responseData("abc", false);
    h.responseTrailers({{"x", "y"}});
  });
  CHECK(trailers.running == 0);
  CHECK(trailers.counted);
  const Outcome part = outcomeOf([](Harness& h) {
    h.respond(200, {}, false);
    h.runner->responseData("abc", false);
  });
  CHECK(part.running == 1);
  CHECK_FALSE(part.counted);
}

TEST_CASE("a request that ends without an answer gives its place back and does not count") {
  const Outcome outcome = outcomeOf([](Harness& h) { h.runner.reset(); });
  CHECK(outcome.running == 0);
  CHECK_FALSE(outcome.counted);
}

TEST_CASE("a tunnel has its place until it ends, and does not count") {
  const Outcome open = outcomeOf([](Harness& h) { h.respond(101, {}, false); }, true);
  CHECK(open.running == 1);
  const Outcome ended = outcomeOf([](Harness& h) { h.respond(101, {}, true); }, true);
  CHECK(ended.running == 0);
  CHECK_FALSE(ended.counted);
}

TEST_CASE("health checks, and all requests where it is off, are not limited") {
  Settings settings = settingsOf(1);
  settings.enabled = GENERATE(true, false);
  const auto factory = std::make_shared<FilterFactory>(settings);
  for (int i = 0; i < 3; ++i) {
    Harness h({factory});
    h.stream.info().health_check = settings.enabled;
    h.request("GET", {}, true);
    CHECK(h.terminal.complete);
    CHECK(settings.controller->running() == 0);
  }
}

TEST_CASE("its numbers are gauges") {
  World world;
  const auto factory = world.compile(rules("", "interval: 60s, request_count: 2, min_concurrency: 2"));
  INFO(world.problems());
  REQUIRE(factory);
  CHECK(world.stat("concurrency_limit") == 2);
  CHECK(world.stat("min_rtt_calculation_active") == 1);
  CHECK(world.stat("rq_blocked") == 0);
  for (int i = 0; i < 2; ++i) {
    Harness h({factory});
    h.stream.time += milliseconds(1000);
    h.request("GET", {}, true);
    h.stream.time += milliseconds(8);
    h.respond(200, {}, true);
  }
  CHECK(world.stat("min_rtt_calculation_active") == 0);
  CHECK((world.stat("min_rtt_msecs") == 7 || world.stat("min_rtt_msecs") == 8));
  CHECK(world.stat("gradient") == 0);
  CHECK(world.stat("burst_queue_size") == 0);
  CHECK(world.stat("sample_rtt_msecs") == 0);
}

TEST_CASE("the next generation goes on with what was learnt, unless its rules are others") {
  World world;
  const std::string yaml = rules("", "interval: 60s, min_concurrency: 1");
  const auto first = world.compile(yaml), again = world.compile(yaml);
  const auto other = world.compile(rules("", "interval: 61s, min_concurrency: 1"));
  world.identity = "filter#1";
  const auto elsewhere = world.compile(yaml);
  Harness running({first}), same({again}), own({other}), apart({elsewhere});
  for (Harness* h : {&running, &same, &own, &apart}) h->request("GET", {}, true);
  CHECK(running.terminal.complete);
  CHECK(same.client.status == 503);
  CHECK(own.terminal.complete);
  CHECK(apart.terminal.complete);
}

TEST_CASE("a refusal has the status that is configured, and below 400 it is 503") {
  const auto statusOf = [](const std::string& code) {
    World world;
    const auto factory = world.compile(rules("", "interval: 60s, min_concurrency: 1") +
                                       ", concurrency_limit_exceeded_status: {code: " + code + "}");
    INFO(world.problems());
    REQUIRE(factory);
    Harness first({factory}), second({factory});
    first.request("GET", {}, true);
    second.request("GET", {}, true);
    return second.client.status;
  };
  CHECK(statusOf("429") == 429);
  CHECK(statusOf("200") == 503);
}

TEST_CASE("keys of the runtime count more than the fields") {
  World world;
  using runtime::Value;
  const std::string base = "adaptive_concurrency.gradient_controller.";
  world.services.runtime = std::make_shared<const runtime::Snapshot>(std::map<std::string, Value, std::less<>>{
      {base + "min_concurrency", Value::ofNumber(7)}, {"off", Value::ofFlag(false)}});
  const auto factory = world.compile(rules("", "interval: 60s, min_concurrency: 1"));
  REQUIRE(factory);
  CHECK(world.stat("concurrency_limit") == 7);
  const auto off = world.compile(rules("", "interval: 60s") + ", enabled: {default_value: true, runtime_key: 'off'}");
  REQUIRE(off);
  std::vector<std::unique_ptr<Harness>> many;
  for (int i = 0; i < 9; ++i) {
    many.push_back(std::make_unique<Harness>(std::vector{off}));
    many.back()->request("GET", {}, true);
    CHECK(many.back()->terminal.complete);
  }
}

TEST_CASE("wrong rules are refused") {
  const auto problems = [](const std::string& yaml) {
    World world;
    CHECK(world.compile(yaml) == nullptr);
    return world.problems();
  };
  CHECK(problems("enabled: {default_value: true}").find("concurrency_controller_config") != std::string::npos);
  CHECK(problems(rules("", "request_count: 5"))
            .find("min_rtt_calc_params: needs an interval of measurements, or a fixed_value") != std::string::npos);
  CHECK(problems(rules("max_concurrency_limit: 0", "interval: 1s")).find("max_concurrency_limit") != std::string::npos);
  CHECK(problems(rules("", "interval: 0.0001s")).find("interval") != std::string::npos);
}

TEST_CASE("it passes the interleaving suite") {
  filter::testing::Suite suite;
  suite.chain = [] {
    return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{
        std::make_shared<FilterFactory>(settingsOf(1))};
  };
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::adaptive_concurrency
