#include "source/extensions/filters/http/grpc_stats/filter.h"

#include <catch2/catch.hpp>

#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::filters::http::grpc_stats {
namespace {

using filter::testing::Fields;
using filter::testing::Harness;

Settings basic() {
  Settings s;
  s.others = {{1}, {2}, {3}, {4}, {5}};
  s.methods["/a.B/C"] = {{11}, {12}, {13}, {14}, {15}};
  s.emit_filter_state = true;
  return s;
}

std::string frame(std::string_view message) {
  std::string out;
  sluice::http::grpc::appendFrameHead(out, 0, static_cast<uint32_t>(message.size()));
  return out.append(message);
}

struct Counted : Harness {
  Counted() : Harness({std::make_shared<FilterFactory>(basic())}) {}
  void call(std::string_view path) {
    stream.request().path = path;
    request("POST", {{"content-type", "application/grpc"}}, false);
    runner->requestData(frame("one") + frame("two"), true);
    respond(200, {{"content-type", "application/grpc"}}, false);
    runner->responseData(frame("x"), false);
  }
};

TEST_CASE("calls and messages of a listed method are counted under its name") {
  Counted h;
  h.call("/a.B/C?x");
  h.responseTrailers({{"grpc-status", "0"}});
  CHECK(h.counted({11}) == 1);
  CHECK(h.counted({12}) == 0);
  CHECK(h.counted({13}) == 1);
  CHECK(h.counted({14}) == 2);
  CHECK(h.counted({15}) == 1);
  CHECK(h.counted({3}) == 0);
  CHECK(*h.stream.info().filterState().find("envoy.filters.http.grpc_stats") ==
        "{\"request_message_count\":2,\"response_message_count\":1}");
}

TEST_CASE("all other methods share their stats; a status other than 0 is a failure") {
  Counted h;
  h.call("/any/thing");
  h.responseTrailers({{"grpc-status", "5"}});
  CHECK(h.counted({2}) == 1);
  CHECK(h.counted({3}) == 1);
  CHECK(h.counted({13}) == 0);
}

TEST_CASE("a status in the head counts, and no status is a failure") {
  const bool status = GENERATE(false, true);
  Counted h;
  h.request("POST", {{"content-type", "application/grpc"}}, true);
  h.respond(200, status ? Fields{{"grpc-status", "0"}} : Fields{}, true);
  CHECK(h.counted({1}) == (status ? 1 : 0));
  CHECK(h.counted({2}) == (status ? 0 : 1));
}

TEST_CASE("other requests are not counted") {
  Counted h;
  h.request("POST", {{"content-type", "application/json"}}, true);
  h.respond(200, {}, true);
  CHECK(h.counted({3}) == 0);
}

TEST_CASE("it passes the interleaving suite") {
  filter::testing::Suite suite;
  suite.max_runs = 2000;
  suite.request.headers = {{"content-type", "application/grpc"}};
  suite.chain = [] {
    return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{std::make_shared<FilterFactory>(basic())};
  };
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::filters::http::grpc_stats
