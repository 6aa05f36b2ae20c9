#include "source/session/proxy_status.h"

#include <catch2/catch.hpp>

namespace sluice::session {
namespace {

using stream::ResponseFlag;

// A response with one flag, or none.
struct Answer {
  explicit Answer(std::optional<ResponseFlag> flag) {
    head.status = 503;
    if (flag) info.response_flags.set(*flag);
    info.response_code_details = "why";
    info.connection_termination_details = "how";
  }
  std::string written(const ProxyStatus& status, bool may_change_code = true) {
    status.write(info, head, may_change_code);
    return std::string(head.getAll("proxy-status").value_or(""));
  }

  base::Arena arena;
  http::ResponseHeaders head{arena};
  stream::StreamInfo info;
};

TEST_CASE("a response flag is told as the error that it stands for, with the reasons") {
  Answer answer(ResponseFlag::kNoHealthyUpstream);
  answer.info.response_flags.set(ResponseFlag::kUpstreamRetryLimitExceeded);
  CHECK(answer.written({"edge", {}}) == R"(edge; error=destination_unavailable; details="why; how; UH,URX")");
  CHECK(answer.head.status == 503);
}

TEST_CASE("each reason can be left out") {
  const auto details = [](ProxyStatus::Options options) {
    return Answer(ResponseFlag::kUpstreamOverflow).written({"e", options});
  };
  const std::string error = "e; error=connection_limit_reached";
  CHECK(details({.details = false}) == error);
  CHECK(details({.termination_details = false}) == error + R"(; details="why; UO")");
  CHECK(details({.flags = false}) == error + R"(; details="why; how")");
}

TEST_CASE("what is no error is not told") {
  CHECK(Answer(std::nullopt).written({"e", {}}).empty());
  CHECK(Answer(ResponseFlag::kFaultInjected).written({"e", {}}).empty());
}

TEST_CASE("the status becomes the recommended one if that is wanted, but not that of gRPC") {
  const ProxyStatus status("e", {.recommended_code = true});
  Answer none(ResponseFlag::kInvalidEnvoyRequestHeaders), not_found(ResponseFlag::kNoRouteFound),
      grpc(ResponseFlag::kNoRouteFound);
  none.written(status);
  not_found.written(status);
  grpc.written(status, false);
  CHECK(none.head.status == 503);
  CHECK(not_found.head.status == 500);
  CHECK(grpc.head.status == 503);
}

TEST_CASE("a response that has no body keeps its status") {
  Answer answer(ResponseFlag::kUpstreamRetryLimitExceeded);
  answer.head.status = GENERATE(101, 204, 304);
  const uint16_t before = answer.head.status;
  CHECK_FALSE(answer.written({"e", {.recommended_code = true}}).empty());
  CHECK(answer.head.status == before);
}

TEST_CASE("names and reasons cannot break the field, and what proxies behind said stays in front") {
  Answer answer(ResponseFlag::kDnsResolutionFailed);
  answer.head.add("proxy-status", "origin; error=proxy_loop_detected");
  answer.info.response_code_details = "a\"b\\c\r\nx: y\xff";
  CHECK(answer.written({"my edge", {.termination_details = false, .flags = false}}) ==
        "origin; error=proxy_loop_detected,\"my edge\"; error=dns_error; details=\"a\\\"b\\\\c??x: y?\"");
}

}  // namespace
}  // namespace sluice::session
