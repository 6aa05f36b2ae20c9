#include "source/upstream/attempt.h"

#include "source/upstream/test_attempt.h"

namespace sluice::upstream {
namespace {

using cluster::HostStat;

TEST_CASE("an attempt holds its host until the whole response is there") {
  AttemptTest t;
  User user(t.arena);
  t.begin(user);
  CHECK(t.active() == 1);
  t.answer(t.one, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n");
  CHECK(user.heard == "ready 200 ");
  CHECK(user.running());
  CHECK(t.active() == 1);
  t.answer(t.one, "ok");
  CHECK(user.heard == "ready 200 end ");
  CHECK_FALSE(user.running());
  CHECK(t.active() == 0);
  CHECK(user.body == "ok");
  CHECK(t.stat("rq_total") == 1);
  CHECK(t.stat("rq_completed") == 1);
  CHECK(t.stat("rq_2xx") == 1);
  CHECK(t.ofHost(HostStat::kRqSuccess) == 1);
}

TEST_CASE("an attempt without a host is counted and holds nothing") {
  AttemptTest t;
  User user(t.arena);
  user.setCluster(t.cluster());
  CHECK_FALSE(user.take(cluster::kNoHost));
  CHECK_FALSE(user.running());
  CHECK(t.stat("none_healthy") == 1);
}

TEST_CASE("a host that was taken and not asked goes back uncounted") {
  AttemptTest t;
  {
    User user(t.arena);
    user.setCluster(t.cluster());
    REQUIRE(user.take(0));
    CHECK(t.active() == 1);
  }
  CHECK(t.active() == 0);
  CHECK(t.stat("rq_cancelled") == 0);
}

TEST_CASE("two attempts of one request run at once, each with its own words and its own answer") {
  AttemptTest t;
  User first(t.arena), second(t.arena);
  t.begin(first, 0, {.authority = "one.example"});
  t.begin(second, 1, {.authority = "two.example"});
  CHECK(t.one.upstream.peer(0).take().find("host: one.example\r\n") != std::string::npos);
  CHECK(t.two.upstream.peer(0).take().find("host: two.example\r\n") != std::string::npos);
  t.two.upstream.peer(0).send("HTTP/1.1 200 OK\r\nfrom: two\r\ncontent-length: 2\r\n\r\n");
  t.one.upstream.peer(0).send("HTTP/1.1 503 No\r\nfrom: one\r\ncontent-length: 0\r\n\r\n");
  t.loop.turn();
  CHECK(first.responseHead().get("from") == "one");
  CHECK(second.responseHead().get("from") == "two");

  // The one that is the answer becomes the stream's.
  http::ResponseHeaders answer(t.arena);
  const http::Field* const fields = second.responseHead().begin();
  answer.take(second.responseHead());
  CHECK(answer.status == 200);
  CHECK(answer.begin() == fields);
  CHECK(second.responseHead().empty());
  CHECK(second.status() == 200);
}

TEST_CASE("an attempt that waits for its connection says what it would have said at once") {
  AttemptTest t;
  t.thresholds[0].max_connections = 1;
  t.breakers->setLimits(t.thresholds);
  User busy(t.arena), waiting(t.arena), other(t.arena);
  t.begin(busy);
  t.begin(waiting, 0, {.authority = "mine.example"});
  t.thresholds[0].max_connections = 2;
  t.breakers->setLimits(t.thresholds);
  t.begin(other, 1, {.authority = "other.example"});
  t.answer(t.one);
  CHECK(waiting.heard == "ready ");
  CHECK(t.one.upstream.peer(0).take().find("host: mine.example\r\n") != std::string::npos);
}

TEST_CASE("an attempt that ends before its answer counts as what is answered in its stead") {
  AttemptTest t;
  User user(t.arena);
  SECTION("no connection: 503") {
    t.one.upstream.stop();
    t.begin(user);
    CHECK(user.heard == "failed1 ");
    CHECK_FALSE(user.why.empty());
  }
  SECTION("a reset: 503") {
    t.begin(user);
    t.one.upstream.peer(0).close();
    t.loop.turn();
    CHECK(user.heard == "ready failed2 ");
    CHECK(t.stat("rq_rx_reset") == 1);
  }
  SECTION("no patience: 504") {
    t.begin(user);
    user.expire();
    CHECK(user.heard == "ready failed3 ");
    CHECK(t.stat("rq_timeout") == 1);
    CHECK(t.ofHost(HostStat::kRqTimeout) == 1);
  }
  CHECK(t.stat("rq_5xx") == 1);
  CHECK(t.stat("rq_completed") == 0);
  CHECK(t.ofHost(HostStat::kRqError) == 1);
  CHECK_FALSE(user.running());
  CHECK_FALSE(user.answered());
}

TEST_CASE("an attempt that another one follows gives its host back and counts no answer") {
  AttemptTest t;
  Watcher watcher;
  t.cluster()->observers().pushBack(watcher);
  User user(t.arena);
  user.elsewhere = true;
  std::string heard;
  SECTION("no connection") {
    t.one.upstream.stop();
    t.begin(user);
    heard = "left1 ";
  }
  SECTION("a reset") {
    t.begin(user);
    t.one.upstream.peer(0).close();
    t.loop.turn();
    CHECK(t.stat("rq_rx_reset") == 1);
    heard = "ready left2 ";
  }
  SECTION("a try that took too long") {
    t.begin(user);
    user.expire(AttemptEnd::Timer::kPerTry);
    CHECK(t.stat("rq_per_try_timeout") == 1);
    CHECK(t.ofHost(HostStat::kRqTimeout) == 1);
    heard = "ready left3 ";
  }
  SECTION("an answer that is not wanted, of which nothing is told") {
    t.begin(user);
    t.answer(t.one, "HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\n");
    CHECK(watcher.seen.at(1) == "head 503");
    heard = "ready ";
  }
  CHECK(user.heard == heard);
  CHECK_FALSE(user.running());
  CHECK(t.active() == 0);
  CHECK(t.stat("rq_5xx") == 0);
  CHECK(t.stat("rq_completed") == 0);
  CHECK(t.ofHost(HostStat::kRqError) == 1);
  CHECK(watcher.seen.back().starts_with("end "));

  t.begin(user, 1);
  t.answer(t.two);
  CHECK(user.heard == heard + "ready 200 end ");
}

TEST_CASE("the request's own time is over for all attempts, that of a try once its head has come for none") {
  AttemptTest t;
  User user(t.arena);
  user.elsewhere = true;
  t.begin(user);
  SECTION("the request's") {
    user.expire();
    CHECK(user.heard == "ready failed3 ");
    CHECK(t.stat("rq_timeout") == 1);
  }
  SECTION("silence behind the head") {
    t.answer(t.one, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n");
    user.expire(AttemptEnd::Timer::kPerTryIdle);
    CHECK(user.heard == "ready 200 failed3 ");
    CHECK(t.stat("rq_per_try_idle_timeout") == 1);
    CHECK(t.stat("rq_timeout") == 0);
  }
  CHECK(t.stat("rq_retry") == 0);
}

TEST_CASE("an attempt that lives as long as the cluster's streams may expires, whoever made it") {
  AttemptTest t;
  t.config->http.max_stream_duration = 5s;
  t.publish();
  User user(t.arena);
  t.begin(user);
  SECTION("before its answer") {
    user.elsewhere = GENERATE(true, false);
    t.loop.pass(4999ms);
    CHECK(user.heard == "ready ");
    t.loop.pass(1ms);
    CHECK(user.heard == (user.elsewhere ? "ready left3 " : "ready failed3 "));
    CHECK(t.stat("rq_5xx") == (user.elsewhere ? 0 : 1));
  }
  SECTION("behind its head") {
    t.answer(t.one, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n");
    t.loop.pass(5s);
    CHECK(user.heard == "ready 200 failed3 ");
  }
  SECTION("from the last head that was sent, if it was repeated") {
    user.repeats = 1;
    t.loop.pass(4s);
    t.one.upstream.peer(0).close();
    t.loop.turn();
    t.loop.pass(4999ms);
    CHECK(user.heard == "ready ready ");
    t.loop.pass(1ms);
    CHECK(user.heard == "ready ready failed3 ");
  }
  CHECK_FALSE(user.running());
  CHECK(t.stat("rq_max_duration_reached") == 1);
  CHECK(t.stat("rq_timeout") == 0);
  CHECK(t.ofHost(HostStat::kRqTimeout) == 0);
}

TEST_CASE("an attempt that is over in time does not expire, nor does the next one of its user early") {
  AttemptTest t;
  t.config->http.max_stream_duration = 5s;
  t.publish();
  User user(t.arena);
  t.begin(user);
  t.answer(t.one);
  t.loop.pass(3s);
  t.begin(user, 1);
  t.loop.pass(4999ms);
  CHECK(user.heard == "ready 200 end ready ");
  t.answer(t.two);
  t.loop.pass(1h);
  CHECK(user.heard == "ready 200 end ready 200 end ");
  CHECK(t.stat("rq_max_duration_reached") == 0);
}

TEST_CASE("a reset behind the head counts no second answer") {
  AttemptTest t;
  User user(t.arena);
  user.repeats = 1;  // it is not asked: the answer has begun
  t.begin(user);
  t.answer(t.one, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n");
  t.one.upstream.peer(0).close();
  t.loop.turn();
  CHECK(user.heard == "ready 200 failed2 ");
  CHECK(user.answered());
  CHECK(t.stat("rq_2xx") == 1);
  CHECK(t.stat("rq_5xx") == 0);
}

TEST_CASE("what is cancelled is counted by how far it was, and told nothing") {
  AttemptTest t;
  User user(t.arena);
  SECTION("without a connection") {
    user.setCluster(t.cluster());
    REQUIRE(user.take(0));
    user.start(t.head, {}, kPriority);
    user.cancel();
    CHECK(t.stat("rq_cancelled") == 1);
    CHECK(t.stat("rq_tx_reset") == 0);
  }
  SECTION("on one") {
    t.begin(user);
    user.cancel();
    CHECK(t.stat("rq_tx_reset") == 1);
    CHECK(t.stat("rq_cancelled") == 0);
  }
  user.cancel();
  t.loop.turn();
  CHECK(t.stat("rq_cancelled") + t.stat("rq_tx_reset") == 1);
  CHECK(user.heard.find("failed") == std::string::npos);
  CHECK(t.active() == 0);
}

TEST_CASE("an attempt that is repeated holds its host and counts as one request with a retry") {
  AttemptTest t;
  User user(t.arena);
  user.repeats = 1;
  t.begin(user);
  t.one.upstream.peer(0).close();
  t.loop.turn();
  CHECK(user.heard == "ready ready ");
  CHECK(t.active() == 1);
  t.one.upstream.peer(1).send(kOk);
  t.loop.turn();
  CHECK(user.heard == "ready ready 200 end ");
  CHECK(t.stat("rq_retry") == 1);
  CHECK(t.stat("rq_5xx") == 0);
  CHECK(t.stat("rq_rx_reset") == 0);
}

TEST_CASE("an attempt that is over can be made at another host") {
  AttemptTest t;
  User user(t.arena);
  t.begin(user);
  t.answer(t.one, "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n");
  t.begin(user, 1);
  t.answer(t.two);
  CHECK(user.heard == "ready 503 end ready 200 end ");
  CHECK(user.status() == 200);
}

TEST_CASE("informational heads are counted as such and leave the attempt waiting") {
  AttemptTest t;
  User user(t.arena);
  t.begin(user);
  t.answer(t.one, "HTTP/1.1 103 Early\r\nlink: x\r\n\r\n");
  CHECK(user.heard == "ready info103 ");
  CHECK_FALSE(user.answered());
  t.answer(t.one);
  CHECK_FALSE(user.responseHead().has(http::Name::kOther));
  CHECK_FALSE(user.responseHead().get("link"));
  CHECK(t.stat("rq_1xx") == 1);
  CHECK(t.stat("rq_completed") == 1);
}

TEST_CASE("a tunnel is over once both sides have ended") {
  AttemptTest t;
  User user(t.arena);
  user.ends = false;
  t.head.method = "CONNECT";
  t.head.path = {};
  t.begin(user);
  t.answer(t.one, "HTTP/1.1 200 OK\r\n\r\n");
  CHECK(user.heard == "ready 200 ");
  t.one.upstream.peer(0).finish();
  t.loop.turn();
  CHECK(user.heard == "ready 200 end ");
  CHECK(user.running());
  user.sendData("last", true);
  CHECK_FALSE(user.running());
  t.loop.turn();
  CHECK(t.one.upstream.peer(0).take() == "last");
}

TEST_CASE("a user may destroy its attempt in what it is told") {
  AttemptTest t;
  auto user = std::make_unique<User>(t.arena);
  user->on_failed = [&user] { user.reset(); };
  t.begin(*user);
  t.one.upstream.peer(0).close();
  t.loop.turn();
  CHECK(user == nullptr);
  CHECK(t.active() == 0);
}

TEST_CASE("the cluster stays for an attempt that runs when it is removed") {
  AttemptTest t;
  User user(t.arena);
  t.begin(user);
  t.clusters.remove(0);
  t.answer(t.one);
  CHECK(user.heard == "ready 200 end ");
}

// --- observers ---

TEST_CASE("an observer hears of each attempt's beginning, head and end") {
  AttemptTest t;
  Watcher watcher;
  t.cluster()->observers().pushBack(watcher);
  User user(t.arena);
  std::vector<std::string> expected;
  SECTION("that is complete") {
    t.begin(user);
    t.answer(t.one);
    expected = {"begin one", "head 200", "end 0 one"};
  }
  SECTION("that finds no connection") {
    t.two.upstream.stop();
    t.begin(user, 1);
    expected = {"begin two", "end 1 two"};
  }
  SECTION("that is reset behind its head") {
    t.begin(user);
    t.answer(t.one, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n");
    t.one.upstream.peer(0).close();
    t.loop.turn();
    expected = {"begin one", "head 200", "end 2 one"};
  }
  SECTION("that takes too long") {
    t.begin(user);
    user.expire();
    expected = {"begin one", "end 3 one"};
  }
  SECTION("that is cancelled") {
    t.begin(user);
    user.cancel();
    expected = {"begin one", "end 4 one"};
  }
  SECTION("that is slow, once") {
    t.begin(user);
    user.noteSlow();
    user.noteSlow();
    user.expireUntold();
    CHECK(user.heard == "ready ");
    expected = {"begin one", "slow one", "end 3 one"};
  }
  SECTION("that is repeated") {
    user.repeats = 1;
    t.begin(user);
    t.one.upstream.peer(0).close();
    t.loop.turn();
    t.one.upstream.peer(1).send(kOk);
    t.loop.turn();
    expected = {"begin one", "end 2 one", "begin one", "head 200", "end 0 one"};
  }
  SECTION("but not of one that was never started") {
    user.setCluster(t.cluster());
    REQUIRE(user.take(0));
    user.cancel();
  }
  CHECK(watcher.seen == expected);
}

TEST_CASE("an observer that is gone is told nothing more") {
  AttemptTest t;
  User user(t.arena);
  {
    Watcher watcher;
    t.cluster()->observers().pushBack(watcher);
    t.begin(user);
  }
  t.answer(t.one);
  CHECK(user.heard == "ready 200 end ");
}

// Keeps what the host says until it is told to let it go.
struct HoldingStage final : ExchangeStage, pool::ExchangeEvents {
  explicit HoldingStage(base::Arena& arena) : head(arena), trailers(arena) {}
  void letGo() {
    is_open = false;
    user->beginResponse().status = head.status;
    user->onResponseHeaders(true);
  }

  // --- ExchangeStage
  pool::Exchange& begin(pool::ExchangeEvents& events) override {
    user = &events;
    return own;
  }
  const pool::Exchange& exchange() const override { return own; }
  void sendHeaders(const http::RequestHeaders& request, bool end) override { own.sendHeaders(request, end); }
  void sendData(std::string_view data, bool end_stream) override { own.sendData(data, end_stream); }
  void sendTrailers(const http::Trailers& of_request) override { own.sendTrailers(of_request); }
  bool open() const override { return is_open; }
  size_t unsentBytes() const override { return own.unsentBytes(); }
  void resumeReading() override { own.resumeReading(); }
  void abandon() override {
    is_open = false;
    own.abandon();
  }
  bool ofHost() const override { return true; }

  // --- pool::ExchangeEvents
  void onReady() override {
    is_open = true;
    user->onReady();
  }
  void onFailure(pool::Failure failure, std::string_view text) override { user->onFailure(failure, text); }
  http::ResponseHeaders& beginResponse() override { return head; }
  void onInformational() override {}
  void onResponseHeaders(bool) override {}
  void onResponseData(std::string_view, bool) override {}
  http::Trailers& beginResponseTrailers() override { return trailers; }
  void onResponseTrailers() override {}
  void onResponseReset(http::ResetReason, std::string_view) override {}
  size_t responseCredit() override { return 1 << 20; }
  void onRequestBytesSent() override {}

  http::ResponseHeaders head;
  http::Trailers trailers;
  pool::ExchangeEvents* user = nullptr;
  pool::Exchange own{*this};
  bool is_open = false;
};

TEST_CASE("an answer that is held goes on being that of its host when the host has left") {
  AttemptTest t;
  HoldingStage stage(t.arena);
  User user(t.arena);
  user.setStage(&stage);
  t.begin(user);
  REQUIRE(t.one.upstream.accept() == 1);
  t.answer(t.one);
  REQUIRE(stage.head.status == 200);
  REQUIRE(user.running());

  t.assign({});
  t.loop.turn();
  stage.letGo();

  CHECK(user.heard == "ready 200 end ");
  CHECK(t.stat("rq_2xx") == 1);
}

}  // namespace
}  // namespace sluice::upstream
