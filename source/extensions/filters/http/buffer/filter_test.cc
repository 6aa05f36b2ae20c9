#include "source/extensions/filters/http/buffer/filter.h"

#include <catch2/catch.hpp>

#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::buffer {
namespace {

using filter::testing::Fields;
using filter::testing::Harness;

Harness make(uint32_t limit, std::shared_ptr<const route::PerFilterConfig> route = nullptr) {
  return Harness({std::make_shared<FilterFactory>(Settings{limit})}, {std::move(route)});
}

TEST_CASE("a body within the limit goes on when it is whole, with a content-length") {
  Harness h = make(4);
  h.request("POST", {}, false);
  h.runner->requestData("12", false);
  CHECK(h.terminal.heads == 0);
  h.runner->requestData("34", true);
  CHECK(h.terminal.body == "1234");
  CHECK(h.terminal.headers == Fields{{"content-length", "4"}});
}

TEST_CASE("a content-length that is there stays, and trailers go without one") {
  Harness with = make(4);
  with.request("POST", {{"content-length", "1"}}, false);
  with.runner->requestData("1", true);
  CHECK(with.terminal.headers == Fields{{"content-length", "1"}});

  Harness trailers = make(4);
  trailers.request("POST", {}, false);
  trailers.runner->requestData("1", false);
  trailers.requestTrailers({{"t", "1"}});
  CHECK(trailers.terminal.headers.empty());
  CHECK(trailers.terminal.trailers == Fields{{"t", "1"}});
}

TEST_CASE("a request without a body goes on at once and gets no content-length") {
  Harness h = make(4);
  h.request("GET", {}, true);
  CHECK(h.terminal.complete);
  CHECK(h.terminal.headers.empty());
}

TEST_CASE("a larger body is answered 413, before it comes if it was announced") {
  Harness announced = make(4);
  announced.request("POST", {{"content-length", "5"}}, false);
  CHECK(announced.client.status == 413);

  Harness chunked = make(4);
  chunked.request("POST", {}, false);
  chunked.runner->requestData("1234", false);
  CHECK(chunked.client.heads == 0);
  chunked.runner->requestData("5", false);
  CHECK(chunked.client.status == 413);
  CHECK(chunked.stream.info().response_code_details == "request_payload_too_large");
  CHECK(chunked.terminal.heads == 0);
}

TEST_CASE("a route may give another limit or switch the filter off") {
  Harness other = make(4, std::make_shared<RouteSettings>(false, Settings{6}));
  other.request("POST", {{"content-length", "5"}}, false);
  other.runner->requestData("12345", true);
  CHECK(other.terminal.body == "12345");

  Harness off = make(4, std::make_shared<RouteSettings>(true));
  off.request("POST", {}, false);
  off.runner->requestData("12345", false);
  CHECK(off.terminal.body == "12345");
}

TEST_CASE("a setting of another filter under this one's name is not taken for its own") {
  struct Foreign : route::PerFilterConfig {};
  Harness h = make(4, std::make_shared<Foreign>());
  h.request("POST", {{"content-length", "5"}}, false);
  CHECK(h.client.status == 413);
}

TEST_CASE("a request that asks for a tunnel goes on at once, without a length") {
  Harness h = make(4);
  SECTION("an upgrade") {
    h.stream.request().upgrade = "websocket";
    h.request("GET", {}, false);
  }
  SECTION("CONNECT") {
    h.request("CONNECT", {}, false);
  }
  CHECK(h.terminal.heads == 1);
  CHECK(h.terminal.headers.empty());
}

TEST_CASE("it passes the interleaving suite") {
  for (const bool trailers : {false, true}) {
    filter::testing::Suite suite;
    suite.chain = [] {
      return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{
          std::make_shared<FilterFactory>(Settings{100})};
    };
    suite.request.has_trailers = trailers;
    REQUIRE(runInterleavings(suite) == "");
    REQUIRE(runOverCodecs(suite) == "");
  }
}

}  // namespace
}  // namespace sluice::extensions::http_filters::buffer
