// The data path from socket to socket: requests that are sent again by a policy.
#include "source/router/retry_mark.h"
#include "source/server/test_retry_path.h"
#include "test/support/upstream/policies.h"

namespace sluice::server {
namespace {

TEST_CASE("an answer that the policy names does not reach the client, that of another host does") {
  RetryPath t("5xx");
  TestClient& client = t.ask();
  t.answer(kBusy);
  CHECK(client.take() == "");
  CHECK(t.places() == 1);
  t.backOff();
  CHECK(t.seenBySecond().starts_with("GET / HTTP/1.1\r\n"));
  t.second.peer(0).send(kOk);
  t.loop.turn();
  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.log.at(0) == "/ 200 via_upstream -");
  CHECK(t.stat("rq_retry") == 1);
  CHECK(t.stat("success") == 1);
  CHECK(t.stat("exponential") == 1);
  CHECK(t.stat("rq_5xx") == 0);
  CHECK(t.places() == 0);
}

TEST_CASE("an answer that goes on takes no room from the retries of others") {
  RetryPath t("5xx");
  TestClient& client = t.ask();
  t.answerBusy();
  CHECK(t.places() == 1);

  t.answerBySecond("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nok");

  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.places() == 0);
}

TEST_CASE("the last answer is the client's when the retries are spent") {
  RetryPath t("5xx", 2);
  TestClient& client = t.ask();
  t.answerBusy();
  t.answerBusyBySecond();
  CHECK(client.take() == "");
  t.answer(kBusy, 1);
  CHECK(bodyOf(client.take()) == "busy");
  CHECK(t.log.at(0) == "/ 503 via_upstream URX");
  CHECK(t.stat("rq_retry") == 2);
  CHECK(t.stat("spent") == 1);
  CHECK(t.stat("success") == 0);
  CHECK(t.stat("rq_5xx") == 1);
}

TEST_CASE("an answer that the policy does not name is passed on at once") {
  RetryPath t("gateway-error");
  TestClient& client = t.ask();
  t.answer("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n");
  CHECK(client.take().starts_with("HTTP/1.1 500 "));
  CHECK(t.stat("rq_retry") == 0);
}

TEST_CASE("a cluster's own policy of retries holds instead of that of the route") {
  RetryPath t("gateway-error");
  auto own = std::make_shared<route::RetryPolicy>();
  own->on = route::parseRetryOn("retriable-4xx");
  own->num_retries = 1;
  t.config->request_policies = std::make_shared<route::RequestPolicies>(route::RequestPolicies{own, nullptr, nullptr});
  SECTION("what it names is retried") {
    TestClient& client = t.ask();
    t.answer("HTTP/1.1 409 No\r\ncontent-length: 0\r\n\r\n");
    t.backOff();
    t.answerBySecond();
    CHECK(bodyOf(client.take()) == "ok");
    CHECK(t.stat("rq_retry") == 1);
  }
  SECTION("what the route names is not") {
    TestClient& client = t.ask();
    t.answerBusy();
    CHECK(bodyOf(client.take()) == "busy");
    CHECK(t.stat("rq_retry") == 0);
  }
}

TEST_CASE("a host that cannot be reached is not the last one") {
  RetryPath t("connect-failure");
  t.host.stop();
  TestClient& client = t.ask();
  t.backOff();
  t.answerBySecond();
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("retries of hosts that fail at once do not hold up the loop") {
  RetryPath t("connect-failure", 1000);
  t.policy->base_interval = t.policy->max_interval = 1ms;
  t.stopHosts();
  TestClient& client = t.ask();
  t.loop.turn();

  CHECK(t.stat("rq_retry") == 1);

  t.loop.pass(16s);
  CHECK(client.take().starts_with("HTTP/1.1 503 "));
}

TEST_CASE("hosts that cannot be reached are told as such, and that there were retries") {
  RetryPath t("connect-failure");
  t.stopHosts();
  TestClient& client = t.ask();
  t.backOff();
  CHECK(client.take().starts_with("HTTP/1.1 503 "));
  CHECK(t.log.at(0) == "/ 503 upstream_reset_before_response_started{remote_connection_failure} UFURX");
}

TEST_CASE("a request that was lost on its way is sent again with its body, whatever its method") {
  RetryPath t("reset");
  TestClient& client = t.ask(post("abc"));
  CHECK(t.seen().ends_with("\r\n\r\nabc"));
  t.host.peer(0).close();
  t.loop.turn();
  t.backOff();
  CHECK(t.seenBySecond().ends_with("\r\n\r\nabc"));
  t.second.peer(0).send(kOk);
  t.loop.turn();
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("a body that is still coming goes to the next host from its beginning") {
  RetryPath t("5xx");
  TestClient& client = t.ask(request("POST", "/", "content-length: 6\r\n", "ab"));
  CHECK(t.seen().ends_with("\r\n\r\nab"));
  t.host.peer(0).send(kBusy);
  t.loop.turn();
  client.send("cd");
  t.loop.turn();
  CHECK(client.take() == "");
  t.backOff();
  CHECK(t.seenBySecond().ends_with("\r\n\r\nabcd"));
  client.send("ef");
  CHECK(t.seenBySecond() == "ef");
  t.second.peer(0).send(kOk);
  t.loop.turn();
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("trailers of a request are sent again, too") {
  RetryPath t("5xx");
  t.config->http.enable_trailers = true;
  t.settings->codec_limits.enable_trailers = true;
  TestClient& client = t.ask(request("POST", "/", "transfer-encoding: chunked\r\n", "1\r\na\r\n0\r\nt: 1\r\n\r\n"));
  CHECK(contains(t.seen(), "t: 1\r\n"));
  t.host.peer(0).send(kBusy);
  t.loop.turn();
  t.backOff();
  CHECK(t.seenBySecond().ends_with("1\r\na\r\n0\r\nt: 1\r\n\r\n"));
  t.answerBySecond();
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("a body over the limit is not kept: its request is not retried, and the log says why") {
  RetryPath t("5xx");
  t.limit = 4;
  t.use();
  TestClient& client = t.connect();
  const bool fits = GENERATE(true, false);
  client.send(post(fits ? "abcd" : "abcde"));
  t.answerBusy();
  CHECK(client.take().empty() == fits);
  CHECK(t.stat("rq_retry") == (fits ? 1 : 0));
  CHECK(t.stat("abandoned") == (fits ? 0 : 1));
}

TEST_CASE("the log tells how many attempts there were, at which hosts, and why there was no other") {
  RetryPath t("5xx");
  const auto refusals = std::make_shared<RefusalLog>();
  const std::string& line = refusals->line;
  t.settings->access_logs.push_back(refusals);
  std::string expected;
  TestClient& client = t.connect();
  SECTION("they are spent") {
    client.send(get());
    t.answerBusy();
    t.answerBySecond(kBusy);
    expected = "2 retries_spent " + t.host.address.toString() + "," + t.second.address.toString();
  }
  SECTION("the body is too large") {
    t.limit = 1;
    t.use();
    client.send(post("abc"));
    t.answer(kBusy);
    expected = "1 request_body_over_limit " + t.host.address.toString();
  }
  SECTION("there are too many") {
    t.breakers->setLimits({upstream::cluster::Thresholds{.max_retries = 0}, {}});
    client.send(get());
    t.answer(kBusy);
    expected = "1 too_many_retries " + t.host.address.toString();
  }
  CHECK(line == expected);
}

const std::string kMark = "x-sluice-retry-refused: ";
const std::string kMarked = "HTTP/1.1 503 No\r\n" + kMark + "retries_spent\r\ncontent-length: 4\r\n\r\nbusy";

TEST_CASE("an answer whose retries are spent, or refused by the budget, is marked for internal callers") {
  RetryPath t("5xx");
  std::string why;
  SECTION("they are spent") {
    why = "retries_spent";
  }
  SECTION("there are too many") {
    why = "too_many_retries";
    t.breakers->setLimits({upstream::cluster::Thresholds{.max_retries = 0}, {}});
  }
  SECTION("which nobody is at an edge") {
    t.settings->use_remote_address = true;
  }
  TestClient& client = t.ask();
  t.answerBusy();
  if (why != "too_many_retries") t.answerBySecond(kBusy);
  const std::string answer = client.take();
  CHECK(bodyOf(answer) == "busy");
  CHECK(contains(answer, kMark) == !why.empty());
  if (!why.empty()) CHECK(contains(answer, kMark + why + "\r\n"));
}

TEST_CASE("an answer of the proxy's own is marked, too") {
  RetryPath t("connect-failure");
  t.stopHosts();
  TestClient& client = t.ask();
  t.backOff();
  const std::string answer = client.take();
  CHECK(answer.starts_with("HTTP/1.1 503 "));
  CHECK(contains(answer, kMark + "retries_spent\r\n"));
}

TEST_CASE("what a caller may still retry with success is not marked") {
  RetryPath t("5xx");
  TestClient& client = t.connect();
  SECTION("a retry was answered") {
    client.send(get());
    t.answerBusy();
    t.answerBySecond();
  }
  SECTION("the policy does not name the answer") {
    client.send(get());
    t.answer("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n");
  }
  SECTION("the policy allows none") {
    t.policy->num_retries = 0;
    client.send(get());
    t.answer(kBusy);
  }
  SECTION("the body is too large here") {
    t.limit = 1;
    t.use();
    client.send(post("abc"));
    t.answer(kBusy);
  }
  const std::string answer = client.take();
  CHECK(answer.starts_with("HTTP/1.1 "));
  CHECK_FALSE(contains(answer, kMark));
}

TEST_CASE("an answer that comes with the mark is not retried whatever the policy says, and goes on with it") {
  RetryPath t("5xx", 3);
  const auto refusals = std::make_shared<RefusalLog>();
  const std::string& line = refusals->line;
  t.settings->access_logs.push_back(refusals);
  TestClient& client = t.ask();
  t.answer(kMarked);
  const std::string answer = client.take();
  CHECK(bodyOf(answer) == "busy");
  CHECK(contains(answer, kMark + "retries_spent\r\n"));
  CHECK(line == "1 refused_by_upstream " + t.host.address.toString());
  CHECK(t.stat("rq_retry") == 0);
  CHECK(t.places() == 0);
}

TEST_CASE("a mark passes through where there is no policy, and ends at an edge") {
  RetryPath t("");
  t.policy = nullptr;
  t.use();
  const bool edge = GENERATE(true, false);
  t.settings->use_remote_address = edge;
  TestClient& client = t.ask();
  t.answer(kMarked);
  CHECK(contains(client.take(), kMark) == !edge);
}

TEST_CASE("a mark of a host that is not internal says nothing") {
  base::Arena arena;
  http::ResponseHeaders answer(arena);
  const auto markedBy = [&answer](const char* host) {
    answer.set("x-sluice-retry-refused", "retries_spent");
    router::dropForeignMark(answer, *net::Address::parse(host));
    return answer.has(router::kRetryMark);
  };
  CHECK(markedBy("10.1.2.3:80"));
  CHECK(markedBy("[fd00::1]:80"));
  CHECK_FALSE(markedBy("8.8.8.8:80"));
}

TEST_CASE("three tiers ask a host that fails for no more than the last one's retries") {
  // Tier by tier, each in front of what the one behind it answers.
  RetryPath leaf("5xx", 2);
  TestClient& client = leaf.ask();
  leaf.answerBusy();
  leaf.answerBusyBySecond();
  leaf.answer(kBusy, 1);
  std::string answer = client.take();

  for (int tier = 2; tier <= 3; ++tier) {
    RetryPath t("5xx", 2);
    TestClient& caller = t.ask();
    t.answer(answer);
    answer = caller.take();
    CHECK(bodyOf(answer) == "busy");
    CHECK(t.stat("rq_retry") == 0);
  }
}

TEST_CASE("beyond the breaker of retries an answer is passed on") {
  RetryPath t("5xx");
  t.breakers->setLimits({upstream::cluster::Thresholds{.max_retries = 0}, {}});
  TestClient& client = t.ask();
  t.answer(kBusy);
  CHECK(bodyOf(client.take()) == "busy");
  CHECK(t.log.at(0) == "/ 503 via_upstream UO");
  CHECK(t.stat("overflow") == 1);
  CHECK(t.stat("rq_retry") == 0);
}

TEST_CASE("a budget lets a share of the requests be retried at a time") {
  RetryPath t("5xx");
  t.breakers->setLimits({upstream::cluster::Thresholds{
                             .retry_budget = upstream::cluster::RetryBudget{.percent = 50, .min_concurrency = 0}},
                         {}});
  std::vector<TestClient*> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(&t.connect());
    clients.back()->send(get());
    t.loop.turn();
  }
  for (size_t peer : {size_t{0}, size_t{1}}) {
    t.answer(kBusy, peer);
    t.answerBySecond(kBusy, peer);
  }
  // Half of 4 that ran; 3, 2 and 1 have no room for a second one beside it.
  CHECK(t.stat("rq_retry") == 1);
  CHECK(t.stat("overflow") == 3);
}

// Sends requests to the host that header x-host names.
class Sticking final : public filter::HttpFilter {
 public:
  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override {
    context.setUpstreamHost(headers.get("x-host").value_or(""), false);
    return filter::Next{};
  }
};

TEST_CASE("a host that a filter chose gets the first attempt only") {
  RetryPath t("5xx");
  t.settings->chain = filter::fixedChain({{"sticking", std::make_shared<filter::Factory<Sticking>>()}});
  TestClient& client = t.ask(request("GET", "/", "x-host: " + t.second.address.toString() + "\r\n"));
  t.answerBySecond(kBusy);

  t.backOff();
  t.answer();

  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("hosts that were tried are passed over if the policy wants that") {
  struct Previous : route::RetryHostPredicate {
    bool refuses(const route::RetryHost& host) const override { return host.tried; }
  };
  RetryPath t("5xx", 3);
  t.policy->host_predicates.push_back(std::make_shared<const Previous>());
  t.policy->host_repicks = 5;
  TestClient& client = t.connect();
  TestClient& other = t.connect();
  client.send(get("/a"));
  t.answer(kBusy);
  other.send(get("/b"));  // takes the turn of the second host
  t.backOff();
  CHECK(t.seenBySecond(0).starts_with("GET /b "));
  CHECK(t.seenBySecond(1).starts_with("GET /a "));
  // Both were tried: any will do.
  t.answerBySecond(kBusy, 1);
  t.backOff();
  CHECK(t.stat("rq_retry") == 2);
}

TEST_CASE("a retry goes to another priority than the attempts before, and any again once all were tried") {
  struct Previous : route::RetryPriority {
    base::PrioritySet passedOver(std::span<const uint8_t> tried) const override {
      base::PrioritySet out;
      for (const uint8_t priority : tried) out.set(priority);
      return out;
    }
  };
  RetryPath t("5xx", 3);
  const bool chooses = GENERATE(true, false);
  if (chooses) t.policy->priority = std::make_shared<const Previous>();
  upstream::cluster::Assignment assignment;
  for (const net::Address& address : {t.host.address, t.second.address}) {
    upstream::cluster::LocalityEndpoints& locality = assignment.localities.emplace_back();
    locality.priority = static_cast<uint32_t>(assignment.localities.size() - 1);
    locality.endpoints.emplace_back().address = address;
  }
  t.assign(assignment);
  TestClient& client = t.ask();
  t.answerBusy();
  if (!chooses) {
    t.answer(kOk, 1);
    CHECK(t.second.accept() == 0);
    CHECK(bodyOf(client.take()) == "ok");
    return;
  }
  CHECK(t.host.accept() == 1);
  t.answerBusyBySecond();
  t.answer(kOk, 1);
  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.stat("rq_retry") == 2);
}

TEST_CASE("a try that takes too long is followed by another one, the request's time goes on") {
  RetryPath t("5xx");
  t.policy->per_try_timeout = 1s;
  t.timeout = 10s;
  t.told.is_timeout_retry = true;
  t.use();
  TestClient& client = t.ask();
  t.loop.pass(999ms);
  CHECK_FALSE(contains(t.seen(), "is-timeout-retry"));
  CHECK(t.stat("per_try") == 0);
  t.loop.pass(1ms);
  t.host.peer(0).take();
  CHECK(t.host.peer(0).closed);
  CHECK(t.stat("per_try") == 1);
  t.backOff();
  CHECK(contains(t.seenBySecond(), "x-envoy-is-timeout-retry: true\r\n"));
  SECTION("which is answered") {
    t.second.peer(0).send(kOk);
    t.loop.turn();
    CHECK(bodyOf(client.take()) == "ok");
  }
  SECTION("which takes too long as well") {
    t.loop.pass(1s);
    CHECK(client.take().starts_with("HTTP/1.1 504 "));
    CHECK(t.log.at(0) == "/ 504 upstream_per_try_timeout UTURX");
  }
  CHECK(t.stat("rq_timeout") == 0);
}

TEST_CASE("a try's time counts from the end of the request, and not beyond its answer's head") {
  RetryPath t("5xx");
  t.limitTries(1s, 60s);
  TestClient& client = t.ask(request("POST", "/", "content-length: 2\r\n", "a"));
  t.loop.pass(5s);
  CHECK(t.stat("per_try") == 0);
  client.send("b");
  t.loop.pass(900ms);
  t.answer("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n");
  t.loop.pass(5s);
  t.answer("ok");
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("a request that ends behind the head of its answer has no limit of a try any more") {
  RetryPath t("5xx");
  t.limitTries(1s, 60s);
  TestClient& client = t.ask(request("POST", "/", "content-length: 2\r\n", "a"));
  t.answer("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n");
  CHECK(client.take().starts_with("HTTP/1.1 200 "));

  client.send("b");
  t.loop.pass(5s);
  t.answer("ok");

  CHECK(client.take() == "ok");
  CHECK(t.stat("per_try") == 0);
  CHECK_FALSE(client.ended);
}

TEST_CASE("a limit of a try that is not below the request's timeout does not hold") {
  RetryPath t("5xx");
  t.limitTries(2s, 2s);
  TestClient& client = t.ask();
  t.loop.pass(2s);
  CHECK(client.take().starts_with("HTTP/1.1 504 "));
  CHECK(t.log.at(0) == "/ 504 response_timeout UT");
  CHECK(t.stat("per_try") == 0);
  CHECK(t.stat("rq_retry") == 0);
}

TEST_CASE("a try that is silent for too long is followed by another one") {
  RetryPath t("reset");
  t.policy->per_try_idle_timeout = 1s;
  t.timeout = 60s;
  t.use();
  TestClient& client = t.connect();
  SECTION("before its answer") {
    client.send(request("POST", "/", "content-length: 2\r\n", "a"));
    t.loop.pass(900ms);
    client.send("b");
    t.loop.pass(900ms);
    CHECK(t.stat("idle") == 0);
    t.loop.pass(100ms);
    CHECK(t.stat("idle") == 1);
    t.backOff();
    t.answerBySecond();
    CHECK(bodyOf(client.take()) == "ok");
  }
  SECTION("in the middle of its answer the client's connection is cut") {
    client.send(get());
    t.answer("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n");
    t.loop.pass(900ms);
    t.answer("abc");
    t.loop.pass(999ms);
    CHECK_FALSE(client.ended);
    t.loop.pass(1ms);
    CHECK(bodyOf(client.take()) == "abc");
    CHECK(client.ended);
    CHECK(t.log.at(0) == "/ 200 upstream_per_try_idle_timeout UT");
  }
}

TEST_CASE("a limit of a try holds without any condition, and then ends the request") {
  RetryPath t("");
  t.limitTries(1s, 60s);
  TestClient& client = t.ask();
  t.loop.pass(1s);
  CHECK(client.take().starts_with("HTTP/1.1 504 "));
  CHECK(t.log.at(0) == "/ 504 upstream_per_try_timeout UT");
}

TEST_CASE("the request's timeout ends the wait for the next attempt") {
  RetryPath t("5xx");
  t.policy->reset_headers = {{"retry-after", false}};
  t.timeout = 2s;
  t.use();
  TestClient& client = t.ask();
  t.answer("HTTP/1.1 503 No\r\nretry-after: 5\r\ncontent-length: 0\r\n\r\n");
  CHECK(t.stat("told") == 1);
  t.loop.pass(1999ms);
  CHECK(client.take() == "");
  t.loop.pass(1ms);
  CHECK(client.take().starts_with("HTTP/1.1 504 "));
  t.loop.pass(10s);
  CHECK(t.second.accept() == 0);
}

TEST_CASE("the host says when it may be asked again") {
  RetryPath t("5xx");
  t.policy->reset_headers = {{"retry-after", false}};
  TestClient& client = t.ask();
  t.answer("HTTP/1.1 503 No\r\nretry-after: 4\r\ncontent-length: 0\r\n\r\n");
  t.loop.pass(3999ms);
  CHECK(t.second.accept() == 0);
  t.loop.pass(2001ms);
  t.answerBySecond();
  CHECK(bodyOf(client.take()) == "ok");
}

TEST_CASE("a client that goes away ends its retries, also while they wait") {
  RetryPath t("5xx");
  TestClient& client = t.ask();
  t.answer(kBusy);
  CHECK(t.places() == 1);
  client.close();
  t.loop.turn();
  CHECK(t.places() == 0);
  t.backOff();
  CHECK(t.second.accept() == 0);
}

TEST_CASE("each attempt is told its number and the time that is left, the client how many there were") {
  RetryPath t("5xx");
  t.told = {.count_in_request = true, .count_in_response = true, .is_timeout_retry = true};
  t.policy->reset_headers = {{"retry-after", false}};
  t.timeout = 10s;
  t.use();
  TestClient& client = t.ask(request("GET", "/", "grpc-timeout: 9S\r\n"));
  const std::string first = t.seen();
  CHECK(contains(first, "x-envoy-attempt-count: 1\r\n"));
  CHECK(contains(first, "x-envoy-expected-rq-timeout-ms: 10000\r\n"));
  CHECK(contains(first, "grpc-timeout: 9S\r\n"));
  t.loop.pass(2s);
  t.host.peer(0).send("HTTP/1.1 503 No\r\nretry-after: 2\r\ncontent-length: 0\r\n\r\n");
  t.loop.turn();
  const event::TimePoint before = t.loop.now();
  while (t.second.accept() == 0) t.loop.pass(1ms);
  const auto left = 8000 - std::chrono::duration_cast<std::chrono::milliseconds>(t.loop.now() - before).count();
  CHECK(left <= 6000);
  const std::string again = t.seenBySecond();
  CHECK(contains(again, "x-envoy-attempt-count: 2\r\n"));
  CHECK(contains(again, "x-envoy-is-timeout-retry: false\r\n"));
  CHECK(contains(again, "x-envoy-expected-rq-timeout-ms: " + std::to_string(left) + "\r\n"));
  CHECK(contains(again, "grpc-timeout: " + std::to_string(left - 1000) + "m\r\n"));
  t.second.peer(0).send(kOk);
  t.loop.turn();
  CHECK(contains(client.take(), "x-envoy-attempt-count: 2\r\n"));
}

TEST_CASE("a try is told no more time than it has") {
  RetryPath t("5xx");
  t.policy->per_try_timeout = 3s;
  t.timeout = GENERATE(10s, 0s);
  t.use();
  t.connect().send(get());
  CHECK(contains(t.seen(), "x-envoy-expected-rq-timeout-ms: 3000\r\n"));
}

TEST_CASE("an answer of the proxy's own tells the attempts, too") {
  RetryPath t("connect-failure");
  t.told.count_in_response = true;
  t.use();
  t.stopHosts();
  TestClient& client = t.ask();
  t.backOff();
  CHECK(contains(client.take(), "x-envoy-attempt-count: 2\r\n"));
}

TEST_CASE("an internal caller may ask for retries where the route has none, a stranger may not") {
  RetryPath t("");
  t.policy = nullptr;
  t.use();
  const bool stranger = GENERATE(true, false);
  const std::string fields = "x-envoy-retry-on: 5xx\r\nx-envoy-max-retries: 1\r\n";
  TestClient& client = t.ask(request("GET", "/", fields + (stranger ? "x-forwarded-for: 8.8.8.8\r\n" : "")));
  CHECK_FALSE(contains(t.seen(), "x-envoy-retry-on"));
  t.host.peer(0).send(kBusy);
  t.loop.turn();
  t.backOff();
  CHECK((bodyOf(client.take()) == "busy") == stranger);
  CHECK(t.stat("rq_retry") == (stranger ? 0 : 1));
}

TEST_CASE("a stale connection is made up for without a retry of the policy") {
  RetryPath t("5xx", 1);
  t.hosts({t.host.address});
  TestClient& client = t.connect();
  t.exchange(client, get());
  client.send(get("/again"));
  t.seen();
  t.host.peer(0).close();
  CHECK(t.seen(1).starts_with("GET /again "));
  t.answer(kBusy, 1);
  t.backOff();
  t.answer(kOk, 2);
  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.stat("exponential") == 1);
}

TEST_CASE("an upgrade that fails is tried again, one that is accepted is not touched") {
  RetryPath t("5xx");
  t.settings->codec_limits.allow_upgrades = true;
  t.settings->upgrades.push_back({"websocket", true});
  TestClient& client = t.ask(request("GET", "/", "connection: upgrade\r\nupgrade: websocket\r\n"));
  t.answerBusy();
  t.answerBySecond("HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
  CHECK(client.take().starts_with("HTTP/1.1 101 "));
  client.send("hello");
  CHECK(t.seenBySecond() == "hello");
}

// The second host for a first attempt and its first retry, then the first host.
upstream::cluster::HostSlot byAttempt(const upstream::lb::LbContext& context) {
  return context.attempts < 2 ? 1 : 0;
}

TEST_CASE("a policy is told how many attempts a request had before") {
  RetryPath t("5xx", 2);
  t.config->lb.policy = std::make_shared<upstream::lb::PickBy>(byAttempt);
  t.clusters.remove(0);
  t.hosts({t.host.address, t.second.address});
  TestClient& client = t.ask();

  t.answerBySecond(kBusy);
  t.backOff();
  t.answerBySecond(kBusy, 1);
  t.backOff();
  t.answer(kOk);

  CHECK(bodyOf(client.take()) == "ok");
}

}  // namespace
}  // namespace sluice::server
