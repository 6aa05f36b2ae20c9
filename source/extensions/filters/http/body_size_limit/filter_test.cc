#include "source/extensions/filters/http/body_size_limit/filter.h"

#include <catch2/catch.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "envoy/extensions/filters/http/body_size_limit/v3/body_size_limit.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/http/body_size_limit/factory.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::body_size_limit {
namespace {

using Proto = envoy::extensions::filters::http::body_size_limit::v3::BodySizeLimit;
using filter::testing::Harness;

std::shared_ptr<const filter::HttpFilterFactory> limit(std::optional<uint64_t> max) {
  return std::make_shared<FilterFactory>(Settings{max, {1}});
}

TEST_CASE("a length that is too large is refused at once") {
  Harness h({limit(10)});
  h.request("POST", {{"content-length", "11"}}, false);
  CHECK(h.client.status == 413);
  CHECK(h.stream.info().response_code_details == "request_payload_too_large");
  CHECK(h.terminal.heads == 0);
  CHECK(h.counted({1}) == 1);
}

TEST_CASE("a body is counted as it comes") {
  Harness h({limit(10)});
  h.request("POST", {}, false);
  h.runner->requestData("123456", false);
  h.runner->requestData("7890", false);
  CHECK(h.terminal.body == "1234567890");
  CHECK(h.client.heads == 0);
  h.runner->requestData("1", true);
  CHECK(h.client.status == 413);
  CHECK_FALSE(h.terminal.complete);
  CHECK(h.terminal.cancelled);
}

TEST_CASE("what is just as large as it may be goes through") {
  Harness h({limit(10)});
  h.request("POST", {{"content-length", "10"}}, false);
  h.runner->requestData("1234567890", true);
  CHECK(h.terminal.complete);
}

TEST_CASE("a tunnel has no body") {
  Harness h({limit(1)});
  h.stream.request().upgrade = "websocket";
  h.request("GET", {}, false);
  h.runner->requestData("1234567890", false);
  CHECK(h.client.heads == 0);
}

TEST_CASE("a route has its own size, or none") {
  Harness larger({limit(1)}, {std::make_shared<RouteSettings>(10)});
  larger.request("POST", {{"content-length", "10"}}, false);
  CHECK(larger.terminal.heads == 1);
  Harness any({limit(1)}, {std::make_shared<RouteSettings>(std::nullopt)});
  any.request("POST", {{"content-length", "1000000"}}, false);
  CHECK(any.terminal.heads == 1);
}

TEST_CASE("a size of nothing is refused") {
  config::testing::TestWorld world;
  Proto proto;
  CHECK_FALSE(world.load("{max_request_bytes: 0}", proto));
  CHECK(world.problems().find("max_request_bytes") != std::string::npos);
}

TEST_CASE("it passes the interleaving suite") {
  filter::testing::Suite suite;
  suite.chain = [] { return std::vector{limit(100)}; };

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::body_size_limit
