#include "source/extensions/filters/http/fault/filter.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "envoy/extensions/filters/http/fault/v3/fault.pb.h"
#include "source/extensions/filters/http/fault/factory.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::fault {
namespace {

using Proto = envoy::extensions::filters::http::fault::v3::HTTPFault;
using filter::testing::Fields;
using filter::testing::Harness;
using std::chrono::milliseconds;
using Values = std::map<std::string, runtime::Value, std::less<>>;

struct World : filter::testing::FilterWorld<Proto> {
  explicit World(Values values = {}) : FilterWorld(registerFactory, "http.p.fault.") {
    services.runtime = std::make_shared<const runtime::Snapshot>(std::move(values));
  }

  auto compile(const std::string& fields) { return FilterWorld::compile("{" + fields + "}"); }
  auto compileRoute(const std::string& fields) { return FilterWorld::compileRoute("{" + fields + "}"); }
};

// Requests through one filter.
struct Faulty {
  explicit Faulty(const std::string& yaml, const std::string& route_yaml = "", Values values = {})
      : world(std::move(values)), factory(world.compile(yaml)) {
    if (!route_yaml.empty()) route = world.compileRoute(route_yaml);
    INFO(world.problems());
    REQUIRE(factory);
  }
  std::unique_ptr<Harness> request(const Fields& fields = {}, uint64_t random = 0) {
    auto h = std::make_unique<Harness>(std::vector{factory}, std::vector{route});
    h->stream.next_random = random;
    h->request("GET", fields, true);
    return h;
  }
  // The status that a client gets at once; 0: it waits; 1: it went on.
  int outcome(const Fields& fields = {}, uint64_t random = 0) {
    const auto h = request(fields, random);
    return h->client.heads == 1 ? h->client.status : h->terminal.heads;
  }
  int counted(Harness& h, const std::string& name) { return world.counted(h, name); }

  World world;
  std::shared_ptr<const filter::HttpFilterFactory> factory;
  std::shared_ptr<const route::PerFilterConfig> route;
};

const std::string kAll = "percentage: {numerator: 100}";
const std::string kAbort = "abort: {http_status: 418, " + kAll + "}";
const std::string kDelay = "delay: {fixed_delay: 1.5s, " + kAll + "}";

TEST_CASE("a request is answered with the status, and says why") {
  Faulty faulty(kAbort + ", filter_metadata: {why: test}");
  const auto h = faulty.request();
  CHECK(h->client.status == 418);
  CHECK(h->client.body == "fault filter abort");
  CHECK(h->terminal.heads == 0);
  CHECK(h->stream.info().response_code_details == "fault_filter_abort");
  CHECK(h->stream.info().response_flags.has(stream::ResponseFlag::kFaultInjected));
  CHECK(faulty.counted(*h, "aborts_injected") == 1);
  REQUIRE(h->stream.info().dynamic_metadata);
  CHECK(h->stream.info().dynamic_metadata->find("envoy.filters.http.fault", {"why"}) != nullptr);
}

TEST_CASE("a status of gRPC is told to a gRPC client as such") {
  Faulty faulty("abort: {grpc_status: 5, " + kAll + "}");
  const auto h = faulty.request({{"content-type", "application/grpc"}});
  CHECK(h->client.status == 200);
  const auto& fields = h->client.headers;
  CHECK(std::find(fields.begin(), fields.end(), std::pair<std::string, std::string>("grpc-status", "5")) !=
        fields.end());
}

TEST_CASE("a request waits and then goes on, or is answered") {
  Faulty faulty(kDelay);
  const auto h = faulty.request();
  CHECK(h->terminal.heads == 0);
  REQUIRE(h->calls.waiting() == 1);
  h->calls.expire();
  CHECK(h->terminal.complete);
  CHECK(h->stream.info().response_flags.has(stream::ResponseFlag::kDelayInjected));
  CHECK(faulty.counted(*h, "delays_injected") == 1);

  Faulty both(kDelay + ", " + kAbort);
  const auto aborted = both.request();
  CHECK(aborted->client.heads == 0);
  aborted->calls.expire();
  CHECK(aborted->client.status == 418);
}

TEST_CASE("a stream that ends while its request waits leaves nothing behind") {
  Faulty faulty(kDelay + ", max_active_faults: 1");
  {
    const auto h = faulty.request();
    CHECK(faulty.outcome() == 1);  // one is enough
  }
  CHECK(faulty.outcome() == 0);
}

TEST_CASE("more faults than there may be are none") {
  Faulty faulty(kDelay + ", " + kAbort + ", max_active_faults: 1");
  const auto first = faulty.request();
  const auto second = faulty.request();
  CHECK(second->terminal.complete);
  CHECK(faulty.counted(*second, "faults_overflow") == 1);
}

TEST_CASE("chance decides") {
  Faulty faulty("abort: {http_status: 418, percentage: {numerator: 30}}");
  CHECK(faulty.outcome({}, 29) == 418);
  CHECK(faulty.outcome({}, 30) == 1);
  CHECK(Faulty("abort: {http_status: 418}").outcome() == 1);
}

TEST_CASE("only some requests are concerned") {
  Faulty by_header(kAbort + ", headers: [{name: x-a}, {name: x-b, string_match: {exact: '1'}}]");
  CHECK(by_header.outcome({{"x-a", ""}, {"x-b", "1"}}) == 418);
  CHECK(by_header.outcome({{"x-a", ""}, {"x-b", "2"}}) == 1);
  Faulty by_node(kAbort + ", downstream_nodes: [a, b]");
  CHECK(by_node.outcome({{"x-envoy-downstream-service-node", "b"}}) == 418);
  CHECK(by_node.outcome({{"x-envoy-downstream-service-node", "c"}}) == 1);
  CHECK(by_node.outcome() == 1);
  CHECK(Faulty(kAbort + ", upstream_cluster: other").outcome() == 1);
}

TEST_CASE("a client may ask for a fault where it is let") {
  Faulty abort("abort: {header_abort: {}, percentage: {numerator: 50}}");
  CHECK(abort.outcome() == 1);
  CHECK(abort.outcome({{"x-envoy-fault-abort-request", "503"}}) == 503);
  CHECK(abort.outcome({{"x-envoy-fault-abort-request", "600"}}) == 1);
  CHECK(abort.outcome({{"x-envoy-fault-abort-request", "99"}}) == 1);
  CHECK(abort.outcome({{"x-envoy-fault-abort-request", "abc"}}) == 1);
  CHECK(abort.outcome({{"x-envoy-fault-abort-grpc-request", "5"}}) == 200);
  const Fields less{{"x-envoy-fault-abort-request", "503"}, {"x-envoy-fault-abort-request-percentage", "10"}};
  CHECK(abort.outcome(less, 9) == 503);
  CHECK(abort.outcome(less, 10) == 1);
  const Fields more{{"x-envoy-fault-abort-request", "503"}, {"x-envoy-fault-abort-request-percentage", "100"}};
  CHECK(abort.outcome(more, 50) == 1);

  Faulty delay("delay: {header_delay: {}, " + kAll + "}");
  CHECK(delay.outcome({{"x-envoy-fault-delay-request", "10"}}) == 0);
  CHECK(delay.outcome({{"x-envoy-fault-delay-request", "0"}}) == 1);
  CHECK(delay.outcome({{"x-envoy-fault-delay-request", "99999999999"}}) == 1);
}

TEST_CASE("keys of the runtime layers stand before what is configured") {
  const std::string none = "abort: {http_status: 418}";
  CHECK(Faulty(none, "", {{"fault.http.abort.abort_percent", runtime::Value::ofNumber(100)}}).outcome() == 418);
  CHECK(Faulty(kAbort, "", {{"fault.http.abort.http_status", runtime::Value::ofNumber(503)}}).outcome() == 503);
  CHECK(Faulty(kAbort + ", abort_http_status_runtime: mine", "", {{"mine", runtime::Value::ofNumber(504)}}).outcome() ==
        504);
  Faulty no_delay(kDelay, "", {{"fault.http.delay.fixed_duration_ms", runtime::Value::ofNumber(0)}});
  CHECK(no_delay.outcome({{"x-envoy-fault-delay-request", "10"}}) == 1);
  CHECK(Faulty(kAbort, "", {{"fault.http.max_active_faults", runtime::Value::ofNumber(0)}}).outcome() == 1);
}

TEST_CASE("a route's faults stand in place of the filter's") {
  CHECK(Faulty(kAbort, "abort: {http_status: 500, " + kAll + "}").outcome() == 500);
  CHECK(Faulty(kAbort, "downstream_nodes: [a]").outcome() == 1);
}

TEST_CASE("an answer comes at the rate, piece by piece") {
  Faulty faulty("response_rate_limit: {fixed_limit: {limit_kbps: 10}, " + kAll + "}");
  const auto h = faulty.request();
  h->respond(200, {}, false);
  CHECK(h->client.heads == 1);
  h->runner->responseData(std::string(512, 'a'), false);  // the burst: 50 ms of 10 KiB
  CHECK(h->client.body.size() == 512);
  h->runner->responseData(std::string(1024, 'b'), false);
  CHECK(h->client.body.size() == 512);
  h->stream.time += milliseconds(100);
  h->calls.expire();
  CHECK(h->client.body.size() == 1536);
  h->runner->responseData(std::string(1024, 'c'), true);
  CHECK_FALSE(h->client.complete);
  h->stream.time += milliseconds(100);
  h->calls.expire();
  CHECK(h->client.complete);
  CHECK(faulty.counted(*h, "response_rl_injected") == 1);
}

TEST_CASE("pieces go one behind the other at the rate") {
  const filter::Pace::TimePoint start{std::chrono::hours(1)};
  filter::Pace pace(1000, milliseconds(0));
  CHECK(pace.take(100, start) == milliseconds(100));
  CHECK(pace.take(100, start) == milliseconds(200));
  CHECK(pace.take(0, start + milliseconds(200)).count() == 0);
  CHECK(pace.take(100, start + milliseconds(900)) == milliseconds(100));  // what was not used is gone
  CHECK(pace.take(UINT64_MAX, start + milliseconds(1000)) == std::chrono::hours(24));
}

TEST_CASE("wrong faults are refused") {
  const auto problems = [](const std::string& yaml) {
    World world;
    CHECK(world.compile(yaml) == nullptr);
    return world.problems();
  };
  CHECK(problems("abort: {http_status: 199}").find("abort.http_status") != std::string::npos);
  CHECK(problems("delay: {}").find("delay") != std::string::npos);
  CHECK(problems("response_rate_limit: {fixed_limit: {limit_kbps: 0}}").find("limit_kbps") != std::string::npos);
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  const auto factory = world.compile("response_rate_limit: {fixed_limit: {limit_kbps: 1000000}, " + kAll +
                                     "}, abort: {header_abort: {}, " + kAll + "}");
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{factory}; };

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::fault
