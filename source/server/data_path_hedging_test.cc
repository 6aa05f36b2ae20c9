// The data path from socket to socket: requests that run at several hosts, as a try took too long.
#include "source/server/test_retry_path.h"
#include "source/upstream/outcome_observer.h"
#include "source/upstream/pool/test_h2_host.h"

namespace sluice::server {
namespace {

using upstream::cluster::HostStat;

// Tries are slow after a second, the request after ten.
struct HedgingPath : RetryPath {
  explicit HedgingPath(std::string_view retry_on = "5xx", uint32_t num_retries = 1) : RetryPath(retry_on, num_retries) {
    policy->per_try_timeout = 1s;
    timeout = 10s;
    hedges = true;
    settings->access_logs.push_back(refusals);
    settings->access_logs.push_back(tried);
    use();
  }
  // A request whose first try is slow, and whose second one has begun.
  TestClient& hedged(const std::string& bytes = get()) {
    TestClient& client = connect();
    client.send(bytes);
    CHECK(contains(seen(), " / HTTP/1.1\r\n"));
    loop.pass(1s);
    backOff();
    return client;
  }
  bool resetAt(TestUpstream& upstream, size_t peer = 0) {
    loop.turn();
    upstream.peer(peer).take();
    return upstream.peer(peer).closed;
  }
  std::string addressOf(TestUpstream& upstream) { return upstream.address.toString(); }

  // Connections are numbered in the order in which they were made.
  bool lastIsOlder() const {
    const size_t comma = connections_tried.find(',');
    return std::stoull(connections_tried.substr(comma + 1)) < std::stoull(connections_tried);
  }

  const std::shared_ptr<const RefusalLog> refusals = std::make_shared<RefusalLog>();
  const std::shared_ptr<const RefusalLog> tried = std::make_shared<RefusalLog>("%UPSTREAM_CONNECTION_IDS_ATTEMPTED%");
  const std::string& line = refusals->line;
  const std::string& connections_tried = tried->line;
};

TEST_CASE("a try that takes too long goes on, another one is made, and the first good answer is the client's") {
  HedgingPath t;
  TestClient& client = t.hedged(post("abc"));
  CHECK_FALSE(t.resetAt(t.host));
  CHECK(t.seenBySecond().ends_with("\r\n\r\nabc"));
  CHECK(t.places() == 1);
  SECTION("of the second") {
    t.answerBySecond();
    CHECK(t.resetAt(t.host));
    CHECK(t.line == "2 - " + t.addressOf(t.host) + "," + t.addressOf(t.second));
    CHECK_FALSE(t.lastIsOlder());
  }
  SECTION("of the first, which the log then tells of") {
    t.answer();
    CHECK(t.resetAt(t.second));
    CHECK(t.line == "2 - " + t.addressOf(t.second) + "," + t.addressOf(t.host));
    CHECK(t.lastIsOlder());
  }
  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.log.at(0) == "/ 200 via_upstream -");
  CHECK(t.stat("rq_retry") == 1);
  CHECK(t.stat("success") == 1);
  CHECK(t.stat("tx_reset") == 1);
  CHECK(t.stat("per_try") == 0);
  CHECK(t.stat("rq_5xx") == 0);
  CHECK(t.places() == 0);
}

TEST_CASE("a slow try that is answered while the next one waits is the only one") {
  HedgingPath t;
  TestClient& client = t.connect();
  client.send(get());
  t.seen();
  t.loop.pass(1s);
  CHECK(t.stat("rq_retry") == 1);
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
  t.backOff();
  CHECK(t.second.accept() == 0);
  CHECK(t.line == "1 - " + t.addressOf(t.host));
}

TEST_CASE("an answer that goes on takes its host's bytes from whichever try gave it") {
  HedgingPath t;
  t.policy->per_try_idle_timeout = 4s;
  t.use();
  TestClient& client = t.hedged();
  t.answer("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab");
  CHECK(bodyOf(client.take()) == "ab");
  SECTION("to its end") {
    t.loop.pass(3s);
    t.answer("cd");
    CHECK(client.take() == "cd");
  }
  SECTION("and may not be silent for too long") {
    t.loop.pass(4s);
    client.take();
    CHECK(client.ended);
    CHECK(t.log.at(0) == "/ 200 upstream_per_try_idle_timeout UT");
  }
}

TEST_CASE("a bad answer does not end the request while another try runs") {
  HedgingPath t;
  TestClient& client = t.hedged();
  SECTION("of the slow one") {
    t.answer(kBusy);
    CHECK(client.take() == "");
    t.answerBySecond();
  }
  SECTION("of the other one, whose retries are spent") {
    t.answerBySecond(kBusy);
    CHECK(client.take() == "");
    t.loop.pass(5s);
    t.answer();
  }
  SECTION("nor a reset") {
    t.seenBySecond();
    t.second.peer(0).close();
    t.loop.turn();
    CHECK(client.take() == "");
    t.loop.pass(5s);
    t.answer();
  }
  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.log.at(0) == "/ 200 via_upstream -");
  CHECK(t.line.starts_with("2 - "));
  CHECK(t.stat("rq_retry") == 1);
}

TEST_CASE("a bad answer is retried while another try runs, if there are retries left") {
  HedgingPath t("5xx", 2);
  TestClient& client = t.hedged();
  t.answerBySecond(kBusy);
  t.backOff();
  t.answer(kOk, 1);
  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.resetAt(t.host, 0));
  CHECK(t.line == "3 - " + t.addressOf(t.host) + "," + t.addressOf(t.second) + "," + t.addressOf(t.host));
  CHECK(t.stat("rq_retry") == 2);
}

TEST_CASE("the last of several bad answers is the client's") {
  HedgingPath t;
  TestClient& client = t.hedged();
  t.answer(kBusy);
  t.answerBySecond("HTTP/1.1 502 No\r\ncontent-length: 3\r\n\r\nbad");
  CHECK(bodyOf(client.take()) == "bad");
  CHECK(t.log.at(0) == "/ 502 via_upstream URX");
  CHECK(t.line.starts_with("2 retries_spent "));
  CHECK(t.stat("spent") == 1);
}

TEST_CASE("an answer that the policy does not name ends the others, good or not") {
  HedgingPath t("gateway-error");
  TestClient& client = t.hedged();
  t.answer("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n");
  CHECK(client.take().starts_with("HTTP/1.1 404 "));
  CHECK(t.resetAt(t.second));
}

TEST_CASE("the last try is not ended by the limit of a try, but by the request's") {
  HedgingPath t;
  TestClient& client = t.hedged();
  t.loop.pass(5s);
  CHECK(client.take() == "");
  CHECK_FALSE(t.resetAt(t.host));
  CHECK_FALSE(t.resetAt(t.second));
  SECTION("in time") {
    t.answerBySecond();
    CHECK(bodyOf(client.take()) == "ok");
    CHECK(t.log.at(0) == "/ 200 via_upstream -");
    return;
  }
  t.loop.pass(5s);
  CHECK(client.take().starts_with("HTTP/1.1 504 "));
  CHECK(t.resetAt(t.host));
  CHECK(t.resetAt(t.second));
  CHECK(t.log.at(0) == "/ 504 response_timeout UTURX");
  CHECK(t.stat("rq_timeout") == 2);
  CHECK(t.stat("rq_5xx") == 2);
}

TEST_CASE("a request is hedged no more often than it may be retried") {
  HedgingPath t("5xx", 2);
  TestClient& client = t.hedged();
  t.seenBySecond();
  t.loop.pass(1s);
  t.backOff();
  CHECK(t.seen(1).starts_with("GET "));
  t.loop.pass(1s);
  t.backOff();
  CHECK(t.host.accept() + t.second.accept() == 3);
  CHECK(t.stat("rq_retry") == 2);
  t.answerBySecond();
  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.resetAt(t.host, 0));
  CHECK(t.resetAt(t.host, 1));
}

TEST_CASE("the breaker of retries holds for tries beside others, and the slow one goes on") {
  HedgingPath t;
  t.breakers->setLimits({upstream::cluster::Thresholds{.max_retries = 0}, {}});
  TestClient& client = t.hedged();
  CHECK(t.second.accept() == 0);
  CHECK(t.stat("overflow") == 1);
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.log.at(0) == "/ 200 via_upstream -");
}

TEST_CASE("where there is no host for another try the slow one goes on") {
  HedgingPath t;
  TestClient& client = t.connect();
  client.send(get());
  t.seen();
  t.loop.pass(1s);
  t.hosts({});
  t.backOff();
  CHECK(client.take() == "");
  t.answer();
  CHECK(bodyOf(client.take()) == "ok");
  CHECK(t.line == "1 - " + t.addressOf(t.host));
}

TEST_CASE("a client that goes away ends all tries") {
  HedgingPath t;
  TestClient& client = t.hedged();
  t.seenBySecond();
  client.close();
  CHECK(t.resetAt(t.host));
  CHECK(t.resetAt(t.second));
  CHECK(t.stat("tx_reset") == 2);
}

TEST_CASE("a slow try counts as a failure of its host, once, whatever comes of it") {
  HedgingPath t;
  upstream::cluster::OutlierConfig outlier;
  outlier.consecutive_5xx = outlier.consecutive_gateway_failure = 0;
  t.config->outlier = std::make_shared<upstream::cluster::OutlierConfig>(outlier);
  t.publish();
  t.hedged();
  const auto count = [&t](HostStat stat) { return t.clusters.find(0)->hostPtr(0)->stats().sum(stat); };
  CHECK(count(HostStat::kAnswerFailure) == 1);
  SECTION("an answer after all") {
    t.answer();
    CHECK(count(HostStat::kAnswerSuccess) == 1);
  }
  SECTION("none") {
    t.loop.pass(10s);
  }
  CHECK(count(HostStat::kAnswerFailure) == 1);
}

TEST_CASE("a host is told the time of the request, which its try has") {
  HedgingPath t;
  t.connect().send(get());
  CHECK(contains(t.seen(), "x-envoy-expected-rq-timeout-ms: 10000\r\n"));
}

TEST_CASE("a request that is silent before its end has one try at a time") {
  HedgingPath t;
  t.policy->per_try_idle_timeout = 1s;
  t.policy->per_try_timeout = 0s;
  t.use();
  TestClient& client = t.connect();
  SECTION("while it comes") {
    client.send(request("POST", "/", "content-length: 2\r\n", "a"));
    t.seen();
    t.loop.pass(1s);
    CHECK(t.resetAt(t.host));
    CHECK(t.stat("idle") == 1);
  }
  SECTION("not behind it") {
    client.send(get());
    t.seen();
    t.loop.pass(1s);
    CHECK_FALSE(t.resetAt(t.host));
    CHECK(t.stat("idle") == 0);
  }
  t.backOff();
  CHECK(t.second.accept() == 1);
}

TEST_CASE("an internal caller says whether its request hedges, a stranger does not") {
  HedgingPath t;
  const bool by_route = GENERATE(true, false);
  const bool stranger = GENERATE(true, false);
  t.hedges = by_route;
  t.use();
  TestClient& client = t.connect();
  client.send(request("GET", "/",
                      std::string("x-envoy-hedge-on-per-try-timeout: ") + (by_route ? "false" : "true") + "\r\n" +
                          (stranger ? "x-forwarded-for: 8.8.8.8\r\n" : "")));
  CHECK_FALSE(contains(t.seen(), "hedge"));
  t.loop.pass(1s);
  CHECK(t.resetAt(t.host) == (by_route != stranger));
}

TEST_CASE("nothing hedges where nothing is retried: the limit of a try holds") {
  HedgingPath t("");
  TestClient& client = t.connect();
  client.send(get());
  t.loop.pass(1s);
  CHECK(client.take().starts_with("HTTP/1.1 504 "));
  CHECK(t.log.at(0) == "/ 504 upstream_per_try_timeout UT");
}

TEST_CASE("an upgrade may hedge, and what is sent through the tunnel goes to who accepted") {
  HedgingPath t;
  t.settings->codec_limits.allow_upgrades = true;
  t.settings->upgrades.push_back({"websocket", true});
  TestClient& client = t.hedged(request("GET", "/", "connection: upgrade\r\nupgrade: websocket\r\n"));
  t.seenBySecond();
  t.answer("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
  CHECK(client.take().starts_with("HTTP/1.1 101 "));
  CHECK(t.resetAt(t.second));
  client.send("ping");
  CHECK(t.seen() == "ping");
}

TEST_CASE("two tries on one connection of HTTP/2 are two streams, of which one is reset") {
  HedgingPath t;
  t.config->http.protocol = upstream::cluster::UpstreamProtocol::kHttp2;
  t.hosts({t.host.address});
  upstream::pool::H2Host host(t.loop, t.host);
  TestClient& client = t.connect();
  client.send(get());
  CHECK(contains(host.seen(), "HEADERS 1 ES"));
  host.send(http::h2::settings());
  t.loop.pass(1s);
  t.backOff();
  CHECK(contains(host.seen(), "HEADERS 3 ES"));
  const bool first = GENERATE(true, false);
  host.send(host.ok(first ? 1 : 3));
  CHECK(bodyOf(client.take()) == "2\r\nok\r\n0\r\n\r\n");
  CHECK(contains(host.seen(), first ? "RST_STREAM 3" : "RST_STREAM 1"));
}

// --- how long an attempt may live (proto: HttpProtocolOptions.max_stream_duration of a cluster)

TEST_CASE("an attempt that lives as long as its cluster's streams may is ended") {
  RetryPath t("");
  t.config->http.max_stream_duration = 2s;
  t.publish();
  TestClient& client = t.connect();
  SECTION("without an answer") {
    client.send(get());
    t.loop.pass(1999ms);
    CHECK(client.take() == "");
    t.loop.pass(1ms);
    const std::string answer = client.take();
    CHECK(answer.starts_with("HTTP/1.1 504 "));
    CHECK(bodyOf(answer) == "upstream max stream duration reached");
    CHECK(t.log.at(0) == "/ 504 upstream_max_stream_duration_reached UMSDR");
  }
  SECTION("before the request was whole") {
    client.send(request("POST", "/", "content-length: 2\r\n", "a"));
    t.loop.pass(2s);
    CHECK(client.take().starts_with("HTTP/1.1 408 "));
  }
  SECTION("in the middle of its answer, however busy it is") {
    client.send(get());
    t.answer("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n");
    t.loop.pass(1999ms);
    t.answer("abc");
    t.loop.pass(1ms);
    CHECK(bodyOf(client.take()) == "abc");
    CHECK(client.ended);
    CHECK(t.log.at(0) == "/ 200 upstream_max_stream_duration_reached UMSDR");
  }
  CHECK(t.stat("max_duration") == 1);
  CHECK(t.stat("rq_timeout") == 0);
}

TEST_CASE("an internal caller says how long an attempt may live, a stranger does not") {
  RetryPath t("");
  t.config->http.max_stream_duration = 5s;
  t.publish();
  const bool stranger = GENERATE(true, false);
  TestClient& client = t.connect();
  client.send(request(
      "GET", "/",
      std::string("x-envoy-upstream-stream-duration-ms: 2000\r\n") + (stranger ? "x-forwarded-for: 8.8.8.8\r\n" : "")));
  CHECK_FALSE(contains(t.seen(), "duration-ms"));
  t.loop.pass(2s);
  CHECK(t.stat("max_duration") == (stranger ? 0 : 1));
  t.loop.pass(3s);
  CHECK(client.take().starts_with("HTTP/1.1 504 "));
  CHECK(t.stat("max_duration") == 1);
}

TEST_CASE("an attempt that was too long may be retried, and each begins anew") {
  RetryPath t("reset");
  t.config->http.max_stream_duration = 2s;
  t.told.is_timeout_retry = true;
  t.publish();
  t.use();
  TestClient& client = t.connect();
  client.send(get());
  t.loop.pass(2s);
  CHECK(client.take() == "");
  t.backOff();
  CHECK(contains(t.seenBySecond(), "x-envoy-is-timeout-retry: false\r\n"));
  t.loop.pass(1700ms);
  t.answerBySecond();
  CHECK(bodyOf(client.take()) == "ok");
  t.loop.pass(10s);
  CHECK(t.stat("max_duration") == 1);
  CHECK(t.stat("rq_retry") == 1);
}

}  // namespace
}  // namespace sluice::server
