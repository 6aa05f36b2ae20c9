#include "source/router/timeout.h"

#include <catch2/catch.hpp>
#include <string>

using namespace std::chrono_literals;

namespace sluice::router {
namespace {

struct TimeoutTest {
  RequestTimeout choose() { return chooseTimeout(action, head); }
  void grpc(std::string_view asked) {
    head.add(http::Name::kContentType, "application/grpc");
    if (!asked.empty()) head.add(http::Name::kGrpcTimeout, asked);
    action.max_grpc_timeout = &limits;
  }

  base::Arena arena;
  http::RequestHeaders head{arena};
  route::Forward action;
  route::MaxGrpcTimeout limits;
};

TEST_CASE("what a proxy in front says of its own timeout counts where it is heeded") {
  const bool heeded = GENERATE(true, false);
  TimeoutTest t;
  t.head.add("x-envoy-expected-rq-timeout-ms", "300");
  t.head.add("x-envoy-upstream-rq-timeout-ms", "700");

  const RequestTimeout timeout = chooseTimeout(t.action, t.head, heeded);

  CHECK(timeout.duration == (heeded ? 300ms : 700ms));
  CHECK_FALSE(timeout.by_default);
  CHECK_FALSE(t.head.has(http::Name::kXEnvoyUpstreamRqTimeoutMs));
}

TEST_CASE("without a word about it a request has 15 seconds, which nobody chose") {
  TimeoutTest t;
  CHECK(t.choose().duration == 15s);
  CHECK(t.choose().by_default);
}

TEST_CASE("the route's timeout was chosen, and so was none") {
  TimeoutTest t;
  t.action.timeout = GENERATE(0ms, 300ms);
  CHECK(t.choose().duration == *t.action.timeout);
  CHECK_FALSE(t.choose().by_default);
}

TEST_CASE("the caller's word goes first and off the head") {
  TimeoutTest t;
  t.action.timeout = 300ms;
  t.head.add(http::Name::kXEnvoyUpstreamRqTimeoutMs, "70");
  const RequestTimeout timeout = t.choose();
  CHECK(timeout.duration == 70ms);
  CHECK_FALSE(timeout.by_default);
  CHECK_FALSE(t.head.has(http::Name::kXEnvoyUpstreamRqTimeoutMs));
}

TEST_CASE("the caller says how long an attempt may live, beside how long it waits") {
  TimeoutTest t;
  CHECK_FALSE(t.choose().of_stream);
  t.head.add(http::Name::kXEnvoyUpstreamStreamDurationMs, GENERATE("0", "70"));
  const auto said = t.head.get("x-envoy-upstream-stream-duration-ms");
  CHECK(t.choose().of_stream == (said == "0" ? 0ms : 70ms));
  CHECK(t.head.empty());
  CHECK(t.choose().duration == 15s);
  t.head.add(http::Name::kXEnvoyUpstreamStreamDurationMs, "long");
  CHECK_FALSE(t.choose().of_stream);
  CHECK(t.head.empty());
}

TEST_CASE("a caller's word that is no number is taken off and changes nothing") {
  TimeoutTest t;
  t.head.add(http::Name::kXEnvoyUpstreamRqTimeoutMs, "soon");
  CHECK(t.choose().by_default);
  CHECK_FALSE(t.head.has(http::Name::kXEnvoyUpstreamRqTimeoutMs));
}

TEST_CASE("grpc-timeout counts up to the route's limit, and the upstream is told what is left") {
  TimeoutTest t;
  t.limits = {.max = 2s, .offset = 100ms};
  SECTION("less") {
    t.grpc("500m");
    CHECK(t.choose().duration == 400ms);
    CHECK(t.head.get(http::Name::kGrpcTimeout) == "400m");
  }
  SECTION("more") {
    t.grpc("9S");
    CHECK(t.choose().duration == 2s);
  }
  SECTION("none") {
    t.grpc("");
    CHECK(t.choose().duration == 2s);
  }
  CHECK(t.choose().of_grpc);
}

TEST_CASE("redirects use up the time of a request, but not what grpc-timeout was told anew") {
  stream::StreamInfo info;
  const event::TimePoint begin = info.start = event::TimePoint(1h);
  info.request_end = 100ms;
  const RequestTimeout second{.duration = 1s};
  CHECK(lessRedirects(second, info, begin + 500ms).duration == 600ms);
  CHECK(lessRedirects(second, info, begin + 5s).duration == 1ms);
  CHECK(lessRedirects({}, info, begin + 5s).duration == 0ms);
  CHECK(lessRedirects({.duration = 1s, .of_grpc = true}, info, begin + 500ms).duration == 1s);
}

}  // namespace
}  // namespace sluice::router
