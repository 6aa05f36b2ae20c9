#include "source/router/retry_rules.h"

#include <catch2/catch.hpp>
#include <optional>
#include <string>

using namespace std::chrono_literals;

namespace sluice::router {
namespace {

using http::ResetReason;
using upstream::AttemptEnd;
using upstream::pool::Failure;
using Timer = AttemptEnd::Timer;

struct RulesTest {
  RetryRules& rules() {
    if (!made) made.emplace(&policy, request);
    return *made;
  }
  void on(std::string_view words) { policy.on = route::parseRetryOn(words); }
  bool covers(const AttemptEnd& end, bool began = true) { return rules().coverFailure(end, began); }
  bool coversStatus(uint16_t status) {
    answer.status = status;
    return rules().coverAnswer(answer, request);
  }
  static AttemptEnd reset(ResetReason reason) { return {.kind = AttemptEnd::Kind::kReset, .reset = reason}; }
  static AttemptEnd noConnection(Failure why) { return {.kind = AttemptEnd::Kind::kNoConnection, .connection = why}; }
  static AttemptEnd timeout(Timer timer) { return {.kind = AttemptEnd::Kind::kTimeout, .timer = timer}; }

  base::Arena arena;
  http::RequestHeaders request{arena};
  http::ResponseHeaders answer{arena};
  route::RetryPolicy policy;
  std::optional<RetryRules> made;
};

constexpr std::chrono::system_clock::time_point kNow(1'000'000s);

TEST_CASE("each condition covers the answers that it names") {
  RulesTest t;
  std::string words;
  uint16_t yes = 0, no = 0;
  SECTION("5xx") {
    words = "5xx", yes = GENERATE(500, 503, 599), no = GENERATE(200, 499, 600);
  }
  SECTION("gateway-error") {
    words = "gateway-error", yes = GENERATE(502, 503, 504), no = GENERATE(500, 501, 505);
  }
  SECTION("retriable-4xx") {
    words = "retriable-4xx", yes = 409, no = GENERATE(400, 408, 500);
  }
  SECTION("retriable-status-codes") {
    t.policy.status_codes = {418};
    words = "retriable-status-codes", yes = 418, no = 500;
  }
  SECTION("a list") {
    words = "connect-failure , retriable-4xx,nonsense", yes = 409, no = 503;
  }
  t.on(words);
  CHECK(t.coversStatus(yes));
  CHECK_FALSE(t.coversStatus(no));
}

TEST_CASE("conditions on failures cover no answer, and status codes need their word") {
  RulesTest t;
  t.policy.status_codes = {503};
  t.on("reset,reset-before-request,connect-failure,refused-stream,retriable-headers,http3-post-connect-failure");
  CHECK_FALSE(t.coversStatus(503));
}

TEST_CASE("an answer of a rate limit is retried only if the policy names it") {
  RulesTest t;
  t.answer.add(http::Name::kXEnvoyRatelimited, "true");
  SECTION("no") {
    t.on("5xx,retriable-4xx");
    CHECK_FALSE(t.coversStatus(503));
  }
  SECTION("yes") {
    t.on("envoy-ratelimited");
    CHECK(t.coversStatus(429));
    t.answer.clear();
    CHECK_FALSE(t.coversStatus(429));
  }
}

TEST_CASE("425 is the client's if it sent its request early") {
  RulesTest t;
  t.policy.status_codes = {425};
  t.on("retriable-status-codes");
  CHECK(t.coversStatus(425));
  t.request.add("early-data", "1");
  CHECK_FALSE(t.coversStatus(425));
}

TEST_CASE("a header of the answer may ask for a retry") {
  RulesTest t;
  match::HeaderMatcher matcher;
  matcher.setName("x-again");
  matcher.kind = match::HeaderMatcher::Kind::kString;
  matcher.string.text = "yes";
  t.policy.headers.push_back(std::move(matcher));
  t.on("retriable-headers");
  CHECK_FALSE(t.coversStatus(200));
  t.answer.add("x-again", "no");
  CHECK_FALSE(t.coversStatus(200));
  t.answer.add("x-again", "yes");
  CHECK(t.coversStatus(200));
}

TEST_CASE("the status of a call that ends with its head is looked at") {
  RulesTest t;
  const auto [word, status] = GENERATE(table<std::string, std::string>({{"cancelled", "1"},
                                                                        {"deadline-exceeded", "4"},
                                                                        {"resource-exhausted", "8"},
                                                                        {"internal", "13"},
                                                                        {"unavailable", "14"}}));
  t.on(word);
  CHECK_FALSE(t.coversStatus(200));
  t.answer.add(http::Name::kGrpcStatus, "2");
  CHECK_FALSE(t.coversStatus(200));
  t.answer.set(http::Name::kGrpcStatus, status);
  CHECK(t.coversStatus(200));
}

TEST_CASE("each condition covers the failures that it names") {
  const AttemptEnd reset = RulesTest::reset(ResetReason::kRemote);
  const AttemptEnd refused = RulesTest::reset(ResetReason::kRefused);
  const AttemptEnd lost = RulesTest::reset(ResetReason::kConnectionEnded);
  const AttemptEnd failed = RulesTest::noConnection(Failure::kConnectFailed);
  const AttemptEnd slow = RulesTest::noConnection(Failure::kConnectTimeout);
  const AttemptEnd late = RulesTest::timeout(GENERATE(Timer::kPerTry, Timer::kPerTryIdle));
  RulesTest t;
  SECTION("reset, 5xx, gateway-error: whatever it is") {
    t.on(GENERATE("reset", "5xx", "gateway-error"));
    for (const AttemptEnd& end : {reset, refused, lost, late}) CHECK(t.covers(end));
    for (const AttemptEnd& end : {failed, slow}) CHECK(t.covers(end, false));
  }
  SECTION("connect-failure") {
    t.on("connect-failure");
    for (const AttemptEnd& end : {failed, slow}) CHECK(t.covers(end, false));
    for (const AttemptEnd& end : {reset, refused, lost, late}) CHECK_FALSE(t.covers(end));
  }
  SECTION("refused-stream") {
    t.on("refused-stream");
    CHECK(t.covers(refused));
    CHECK(t.covers(RulesTest::reset(ResetReason::kUnprocessed)));
    for (const AttemptEnd& end : {reset, lost, late, failed}) CHECK_FALSE(t.covers(end));
  }
  SECTION("reset-before-request: nothing of it was sent, or the host has not looked at it") {
    t.on("reset-before-request");
    CHECK(t.covers(failed, false));
    CHECK(t.covers(RulesTest::reset(ResetReason::kUnprocessed)));
    for (const AttemptEnd& end : {reset, refused, lost, late}) CHECK_FALSE(t.covers(end));
  }
  SECTION("conditions on answers cover none") {
    t.on("retriable-4xx,retriable-status-codes,retriable-headers,envoy-ratelimited,unavailable");
    for (const AttemptEnd& end : {reset, refused, lost, late, failed}) CHECK_FALSE(t.covers(end));
  }
}

TEST_CASE("an open breaker, a host without upgrades and the request's own timeout are final") {
  RulesTest t;
  t.on("5xx,reset,gateway-error,connect-failure,reset-before-request,refused-stream");
  CHECK_FALSE(t.covers(RulesTest::noConnection(Failure::kOverflow), false));
  CHECK_FALSE(t.covers(RulesTest::noConnection(Failure::kUpgradeRefused), false));
  CHECK_FALSE(t.covers(RulesTest::timeout(Timer::kRequest)));
  CHECK_FALSE(t.covers({.kind = AttemptEnd::Kind::kCancelled}));
}

TEST_CASE("there are as many retries as the policy says, one without a word") {
  RulesTest t;
  t.on("5xx");
  uint32_t expected = 1;
  SECTION("none") {
    expected = t.policy.num_retries = 0;
  }
  SECTION("three") {
    expected = t.policy.num_retries = 3;
  }
  SECTION("one") {}
  for (uint32_t i = 0; i < expected; ++i) CHECK(t.rules().takeOne());
  CHECK_FALSE(t.rules().takeOne());
}

TEST_CASE("a caller adds conditions, and says how many retries there are") {
  RulesTest t;
  t.on("retriable-4xx");
  t.request.add("x-envoy-retry-on", "gateway-error,retriable-headers,retriable-status-codes,unavailable");
  t.request.add("x-envoy-retry-grpc-on", "cancelled,5xx");
  t.request.add("x-envoy-max-retries", "2");
  t.request.add("x-envoy-retriable-status-codes", "418, 419");
  t.request.add("x-envoy-retriable-header-names", "X-Again, x-more");
  t.request.add("x-envoy-upstream-rq-per-try-timeout-ms", "70");
  t.request.add("kept", "1");
  for (const uint16_t status : {409, 502, 418, 419}) CHECK(t.coversStatus(status));
  CHECK_FALSE(t.coversStatus(500));
  CHECK(t.rules().perTryTimeout() == 70ms);
  CHECK(t.rules().takeOne());
  CHECK(t.rules().takeOne());
  CHECK_FALSE(t.rules().takeOne());
  CHECK(t.request.size() == 1);

  t.answer.add("x-again", "");
  CHECK(t.coversStatus(200));
  t.answer.clear();
  t.answer.add(http::Name::kGrpcStatus, "1");
  CHECK(t.coversStatus(200));
  t.answer.set(http::Name::kGrpcStatus, "14");  // the word is for the other header
  CHECK_FALSE(t.coversStatus(200));
}

TEST_CASE("of a caller's list the first 64 words count") {
  RulesTest t;
  t.on("");
  std::string codes, names;
  for (int i = 0; i < 65; ++i) {
    codes += std::to_string(400 + i) + ",";
    names += "x-" + std::to_string(i) + ",";
  }
  t.request.add("x-envoy-retry-on", "retriable-status-codes,retriable-headers");
  t.request.add("x-envoy-retriable-status-codes", codes);
  t.request.add("x-envoy-retriable-header-names", names);

  CHECK(t.coversStatus(463));
  CHECK_FALSE(t.coversStatus(464));
  t.answer.add("x-64", "");
  CHECK_FALSE(t.coversStatus(200));
  t.answer.add("x-63", "");
  CHECK(t.coversStatus(200));
}

TEST_CASE("a caller's words that are no numbers change nothing") {
  RulesTest t;
  t.on("5xx");
  t.policy.per_try_timeout = 9ms;
  t.request.add("x-envoy-max-retries", "many");
  t.request.add("x-envoy-upstream-rq-per-try-timeout-ms", "-1");
  CHECK(t.rules().perTryTimeout() == 9ms);
  CHECK(t.rules().takeOne());
  CHECK_FALSE(t.rules().takeOne());
  CHECK(t.request.empty());
}

TEST_CASE("whether a request hedges the route says, and its caller before it") {
  RulesTest t;
  const bool of_route = GENERATE(true, false);
  const std::string said = GENERATE("", "true", "false", "TRUE");
  t.on("5xx");
  if (!said.empty()) t.request.add("x-envoy-hedge-on-per-try-timeout", said);
  CHECK(RetryRules::asked(t.request) == !said.empty());
  const RetryRules rules(&t.policy, t.request, of_route);
  CHECK(rules.hedges() == (said == "true" || (said != "false" && of_route)));
  CHECK(t.request.empty());
  t.policy.on = 0;
  CHECK_FALSE(RetryRules(&t.policy, t.request, true).hedges());
}

TEST_CASE("only requests that match are retried where the policy says which") {
  RulesTest t;
  t.on("5xx");
  match::HeaderMatcher matcher;
  matcher.setName(":method");
  matcher.kind = match::HeaderMatcher::Kind::kString;
  matcher.string.text = "GET";
  t.policy.request_headers.push_back(std::move(matcher));
  t.request.method = GENERATE("GET", "POST");
  const bool matches = t.request.method == "GET";
  CHECK(t.rules().any() == matches);
  CHECK(t.coversStatus(503) == matches);
}

TEST_CASE("the interval doubles up to its limit, and any part of it is waited") {
  RulesTest t;
  t.policy.base_interval = 10ms;
  t.policy.max_interval = 35ms;
  const uint64_t last = 1400;  // a multiple of all intervals
  for (const auto interval : {10ms, 20ms, 35ms, 35ms}) {
    CHECK(t.rules().nextWait(nullptr, kNow, last + static_cast<uint64_t>(interval.count()) - 1).time == interval - 1ms);
  }
  CHECK(t.rules().nextWait(nullptr, kNow, last).time == 0ms);
  CHECK_FALSE(t.rules().nextWait(nullptr, kNow, 1).told);
}

TEST_CASE("what an answer says of the time to wait is waited, and up to half of it more") {
  RulesTest t;
  t.policy.reset_headers = {{"retry-after", false}, {"x-ratelimit-reset", true}};
  const auto wait = [&](uint64_t random) { return t.rules().nextWait(&t.answer, kNow, random); };
  SECTION("in seconds") {
    t.answer.add("retry-after", "4");
    CHECK(wait(0).time == 4s);
    CHECK(wait(2000).time == 6s);
    CHECK(wait(2001).time == 4s);
    CHECK(wait(0).told);
  }
  SECTION("by the clock") {
    t.answer.add("x-ratelimit-reset", "1000010");
    CHECK(wait(0).time == 10s);
  }
  SECTION("the first that can be followed counts") {
    t.answer.add("retry-after", "Fri, 07 Nov 2014 23:59:59 GMT");
    t.answer.add("x-ratelimit-reset", "1000007");
    CHECK(wait(0).time == 7s);
  }
  SECTION("too long, past or absurd is not followed") {
    t.answer.add("retry-after", GENERATE("301", "0", "-5", "9223372036854775807", "1e3", ""));
    t.answer.add("x-ratelimit-reset", GENERATE("999999", "1000301"));
    CHECK_FALSE(wait(0).told);
    CHECK(wait(0).time == 0ms);
  }
}

}  // namespace
}  // namespace sluice::router
