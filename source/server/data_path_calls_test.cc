// HTTP call-outs of filters, from the call to the host and back.
#include "source/server/test_data_path.h"
#include "source/upstream/attempt.h"
#include "test/support/filter/test_terminal.h"

namespace sluice::server {
namespace {

struct CallTest : DataPath {
  filter::HttpCallRequest make(std::string body = "") {
    filter::HttpCallRequest call;
    call.cluster = "c";
    call.method = body.empty() ? "GET" : "POST";
    call.path = "/check";
    call.body = std::move(body);
    call.timeout = 2s;
    return call;
  }
  std::unique_ptr<filter::Call> send(filter::HttpCallRequest call) {
    return calls.send(std::move(call), [this](filter::HttpCallResponse response) {
      results.push_back(std::to_string(response.status) + " " + std::string(response.failure) + response.body);
    });
  }
  std::vector<std::string> results;
};

TEST_CASE("a call is answered from the loop, once") {
  CallTest t;
  auto call = t.send(t.make("hello"));
  CHECK(t.results.empty());
  CHECK(contains(t.seen(), "POST /check HTTP/1.1\r\nhost: c\r\n"));
  t.answer();
  CHECK(t.results == std::vector<std::string>{"200 ok"});
  t.loop.pass(10s);
  CHECK(t.results.size() == 1);
}

TEST_CASE("a call tells how it failed") {
  CallTest t;
  filter::HttpCallRequest request = t.make();
  std::string expected;
  std::unique_ptr<filter::Call> call;
  SECTION("no cluster") {
    request.cluster = "nowhere";
    call = t.send(request);
    expected = "0 no_cluster";
  }
  SECTION("no host") {
    t.hosts({});
    call = t.send(request);
    expected = "0 no_healthy_upstream";
  }
  SECTION("refused") {
    t.host.stop();
    call = t.send(request);
    expected = "0 connect_failed";
  }
  SECTION("no answer") {
    call = t.send(request);
    t.seen();
    t.loop.pass(2s);
    expected = "0 timeout";
  }
  SECTION("reset") {
    call = t.send(request);
    t.seen();
    t.host.peer(0).close();
    expected = "0 reset";
  }
  SECTION("too large") {
    request.max_response_body = 1;
    call = t.send(request);
    t.answer();
    expected = "0 response_too_large";
  }
  t.loop.turn();
  CHECK(t.results == std::vector<std::string>{expected});
}

TEST_CASE("a call on a connection that dies unseen is made again only if its method allows") {
  CallTest t;
  TestClient& client = t.connect();
  t.exchange(client, get());
  filter::HttpCallRequest request = t.make();
  request.method = GENERATE("GET", "POST");
  const bool again = request.method == "GET";
  auto call = t.send(request);
  CHECK(contains(t.seen(), "/check HTTP/1.1\r\n"));
  t.host.peer(0).close();
  t.loop.turn();
  REQUIRE(t.host.accept() == (again ? 2 : 1));
  if (again) t.answer(kOk, 1);
  CHECK(t.results == std::vector<std::string>{again ? "200 ok" : "0 reset"});
}

TEST_CASE("a call that is dropped is never answered, wherever it stands") {
  CallTest t;
  auto call = t.send(t.make());
  SECTION("at once") {}
  SECTION("while it connects") {
    t.loop.settle();
  }
  SECTION("while the host works") {
    t.seen();
  }
  SECTION("in the middle of the answer") {
    t.answer("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsome");
  }
  call.reset();
  t.loop.turn();
  CHECK(t.results.empty());
}

TEST_CASE("a call answered with more than its response keeps its answer") {
  CallTest t;
  auto call = t.send(t.make());
  t.answer(kOk + "more");
  CHECK(t.results == std::vector<std::string>{"200 ok"});
}

TEST_CASE("a call never asks for a tunnel, whose acceptance would be no answer") {
  CallTest t;
  filter::HttpCallRequest request = t.make();
  request.method = "CONNECT";
  auto call = t.send(request);
  t.loop.turn();
  CHECK(t.results == std::vector<std::string>{"0 protocol_error"});
  CHECK(t.host.accept() == 0);
}

TEST_CASE("a call is counted as any other request to its cluster") {
  CallTest t;
  t.stats.rq_completed = t.registry.counter("rq_completed");
  t.stats.rq_2xx = t.registry.counter("rq_2xx");
  t.config = std::make_shared<upstream::cluster::ClusterConfig>(*t.config);
  t.publish();
  auto call = t.send(t.make());
  t.answer();
  CHECK(t.results == std::vector<std::string>{"200 ok"});
  CHECK(t.stat("rq_total") == 1);
  CHECK(t.stat("rq_completed") == 1);
  CHECK(t.stat("rq_2xx") == 1);
}

struct AttemptCounter : upstream::AttemptObserver {
  void onAttemptBegin(const upstream::Attempt&) override { ++begun; }
  void onAttemptHead(const upstream::Attempt&) override { ++answered; }
  void onAttemptEnd(const upstream::Attempt&, const upstream::AttemptEnd& end) override {
    complete += end.kind == upstream::AttemptEnd::Kind::kComplete;
  }
  int begun = 0, answered = 0, complete = 0;
};

TEST_CASE("requests of streams and call-outs are attempts that an observer of the cluster sees") {
  CallTest t;
  AttemptCounter counter;
  t.clusters.find(0)->observers().pushBack(counter);
  TestClient& client = t.connect();
  CHECK(bodyOf(t.exchange(client, get())) == "ok");
  CHECK(counter.begun == 1);
  CHECK(counter.answered == 1);
  CHECK(counter.complete == 1);
  auto call = t.send(t.make());
  t.answer();
  CHECK(counter.begun == 2);
  CHECK(counter.complete == 2);
  client.send(get());
  t.seen();
  client.close();
  t.loop.turn();
  CHECK(counter.begun == 3);
  CHECK(counter.complete == 2);
}

TEST_CASE("terminal filters of two kinds serve the streams of one worker") {
  CallTest t;
  const auto routed = t.settings;
  auto relayed = std::make_shared<session::HttpSettings>(*t.settings);
  relayed->terminal = filter::testing::relay("c");
  t.settings = relayed;
  TestClient& to_relay = t.connect();
  t.settings = routed;
  TestClient& to_router = t.connect();
  to_relay.send(post("hello"));
  t.loop.turn();
  to_router.send(get("/routed"));
  CHECK(contains(t.seen(0), "POST /relay HTTP/1.1\r\n"));
  CHECK(contains(t.seen(1), "GET /routed HTTP/1.1\r\n"));
  t.answer(kOk, 1);
  t.answer(kOk, 0);
  CHECK(bodyOf(to_router.take()) == "ok");
  CHECK(contains(to_relay.take(), "\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n"));
}

}  // namespace
}  // namespace sluice::server
