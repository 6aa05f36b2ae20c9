#include "source/extensions/filters/http/bandwidth_limit/filter.h"

#include <catch2/catch.hpp>

#include <string>
#include <utility>
#include <vector>

#include "envoy/extensions/filters/http/bandwidth_limit/v3/bandwidth_limit.pb.h"
#include "source/extensions/filters/http/bandwidth_limit/factory.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::bandwidth_limit {
namespace {

using Proto = envoy::extensions::filters::http::bandwidth_limit::v3::BandwidthLimit;
using filter::testing::Harness;
using std::chrono::milliseconds;

struct World : filter::testing::FilterWorld<Proto> {
  World() : FilterWorld(registerFactory, "s.http_bandwidth_limit.") {}

  auto compile(const std::string& fields) { return FilterWorld::compile("{stat_prefix: s, " + fields + "}"); }
  auto compileRoute(const std::string& fields) { return FilterWorld::compileRoute("{stat_prefix: r, " + fields + "}"); }
  int64_t pending(Harness& h, const std::string& name) {
    return static_cast<int64_t>(h.stream.cells().read(holding.stats().gauge(prefix + name + "_pending").id));
  }
};

// 10 KiB a second, of which 512 bytes may go at once.
const std::string kLimit = "limit_kbps: 10, enable_mode: ";

TEST_CASE("a body waits until its time has come") {
  World world;
  Harness h({world.compile(kLimit + "REQUEST")});
  h.request("POST", {}, false);
  h.runner->requestData(std::string(512, 'a'), false);
  CHECK(h.terminal.body.size() == 512);
  h.runner->requestData(std::string(1024, 'b'), true);
  CHECK(h.terminal.body.size() == 512);
  CHECK(world.pending(h, "request") == 1);
  h.stream.time += milliseconds(100);
  h.calls.expire();
  CHECK(h.terminal.body.size() == 1536);
  CHECK(h.terminal.complete);
  CHECK(world.pending(h, "request") == 0);
  CHECK(world.counted(h, "request_enabled") == 1);
  CHECK(world.counted(h, "request_enforced") == 1);
  CHECK(world.counted(h, "request_incoming_total_size") == 1536);
  CHECK(world.counted(h, "request_allowed_total_size") == 1536);
  h.respond(200, {}, false);
  h.runner->responseData(std::string(4096, 'c'), true);
  CHECK(h.client.complete);
}

TEST_CASE("all streams share the rate, and both directions") {
  World world;
  const auto factory = world.compile(kLimit + "REQUEST_AND_RESPONSE");
  Harness first({factory}), second({factory});
  first.request("POST", {}, false);
  first.runner->requestData(std::string(512, 'a'), true);
  CHECK(first.terminal.complete);
  second.request("GET", {}, true);
  second.respond(200, {}, false);
  second.runner->responseData(std::string(512, 'b'), true);
  CHECK_FALSE(second.client.complete);
  second.stream.time += milliseconds(50);
  second.calls.expire();
  CHECK(second.client.complete);
}

TEST_CASE("a stream that ends while it waits leaves nothing behind") {
  World world;
  Harness h({world.compile(kLimit + "RESPONSE")});
  h.request("GET", {}, true);
  h.respond(200, {}, false);
  h.runner->responseData(std::string(4096, 'a'), false);
  CHECK(world.pending(h, "response") == 1);
  h.runner.reset();
  CHECK(h.calls.waiting() == 0);
  CHECK(world.pending(h, "response") == 0);
}

TEST_CASE("what waits of a stream that ends takes nobody's time") {
  const bool request = GENERATE(true, false);
  World world;
  const auto factory = world.compile(kLimit + "REQUEST_AND_RESPONSE");
  Harness gone({factory}), other({factory});
  gone.request("POST", {}, !request);
  if (request) gone.runner->requestData(std::string(50'000, 'a'), false);
  if (!request) gone.respond(200, {}, false);
  if (!request) gone.runner->responseData(std::string(50'000, 'a'), false);
  REQUIRE(gone.calls.waiting() == 1);

  gone.runner.reset();

  other.request("POST", {}, false);
  other.runner->requestData(std::string(512, 'b'), true);
  CHECK(other.terminal.complete);
}

TEST_CASE("what is off holds nothing up") {
  World world;
  const std::string yaml = GENERATE(std::string("limit_kbps: 1"), std::string("enable_mode: RESPONSE"),
                                    kLimit + "RESPONSE, runtime_enabled: {default_value: false, runtime_key: k}");
  Harness h({world.compile(yaml)});
  h.request("GET", {}, true);
  h.respond(200, {}, false);
  h.runner->responseData(std::string(100'000, 'a'), true);
  CHECK(h.client.complete);
  CHECK(world.counted(h, "response_enabled") == 0);
}

TEST_CASE("a route's settings have a rate of their own, and need one") {
  World world;
  const auto route = world.compileRoute("limit_kbps: 1000000, enable_mode: RESPONSE");
  REQUIRE(route);
  Harness h({world.compile(kLimit + "RESPONSE")}, {route});
  h.request("GET", {}, true);
  h.respond(200, {}, false);
  h.runner->responseData(std::string(100'000, 'a'), true);
  CHECK(h.client.complete);

  CHECK(world.compileRoute("enable_mode: RESPONSE") == nullptr);
  CHECK(world.problems().find("limit_kbps: is needed in a route's own settings") != std::string::npos);
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  filter::testing::Suite suite;
  // The clock of each run begins anew, and with it the row of those that wait.
  suite.chain = [&] { return std::vector{world.compile("limit_kbps: 1000000, enable_mode: REQUEST_AND_RESPONSE")}; };

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::bandwidth_limit
