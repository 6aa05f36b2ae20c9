// What filters choose of the way to the host, and their calls in pieces, from the filter to the host and back.
#include <optional>

#include "source/filter/context.h"
#include "source/server/test_data_path.h"

namespace sluice::server {
namespace {

// --- choice of cluster and host --------------------------------------------------------------------------------------

struct Choice {
  std::string cluster, host;
  bool only = false;
};

class Chooser : public filter::HttpFilter {
 public:
  explicit Chooser(const Choice& choice) : choice_(choice) {}
  filter::HookResult onRequestHeaders(http::RequestHeaders&, filter::Context& context) override {
    if (!choice_.cluster.empty()) context.setCluster(choice_.cluster);
    if (!choice_.host.empty()) context.setUpstreamHost(choice_.host, choice_.only);
    return filter::Next{};
  }

 private:
  const Choice& choice_;
};

void choose(DataPath& t, Choice choice) {
  t.settings->chain = filter::fixedChain({{"chooser", std::make_shared<filter::Factory<Chooser, Choice>>(choice)}});
}

TEST_CASE("a filter's cluster takes the place of the route's") {
  DataPath t;
  t.route("/other", t.forward("other"));
  TestClient& client = t.connect();
  SECTION("that is there") {
    choose(t, {.cluster = "c"});
    CHECK(bodyOf(t.exchange(client, get("/other"))) == "ok");
  }
  SECTION("that is not there") {
    choose(t, {.cluster = "nowhere"});
    client.send(get("/"));
    t.loop.turn();
    CHECK(contains(client.take(), "503"));
  }
}

TEST_CASE("a filter's host is taken if the cluster has it, and another one unless only that one will do") {
  DataPath t;
  const net::Address nobody = *net::Address::parse("127.0.0.1:9");
  t.hosts({nobody, t.host.address});
  SECTION("it has") {
    choose(t, {.host = t.host.address.toString(), .only = GENERATE(false, true)});
    for (int i = 0; i < 3; ++i) CHECK(bodyOf(t.exchange(t.connect(), get(), 0)) == "ok");
  }
  SECTION("it has not, and another will do") {
    t.hosts({t.host.address});
    choose(t, {.host = "10.9.9.9:1"});
    CHECK(bodyOf(t.exchange(t.connect(), get())) == "ok");
  }
  SECTION("it has not, and no other will do") {
    choose(t, {.host = "10.9.9.9:1", .only = true});
    TestClient& client = t.connect();
    client.send(get());
    t.loop.turn();
    CHECK(contains(client.take(), "no healthy upstream"));
  }
}

TEST_CASE("a request that is sent again goes to others than the filter's host, unless only that one will do") {
  DataPath t;
  TestUpstream nobody;
  nobody.stop();
  t.hosts({nobody.address, t.host.address});
  const auto policy = std::make_shared<route::RetryPolicy>();
  policy->on = route::parseRetryOn("connect-failure");
  policy->num_retries = 2;
  route::ForwardSpec action = t.forward("c");
  action.retry_policy = policy;
  t.route("/", action);
  const bool only = GENERATE(false, true);
  choose(t, {.host = nobody.address.toString(), .only = only});
  TestClient& client = t.connect();

  client.send(get());
  for (int i = 0; i < 2; ++i) t.loop.pass(200ms);

  if (only) {
    CHECK(contains(client.take(), "HTTP/1.1 503 "));
  } else {
    t.answer(kOk);
    CHECK(bodyOf(client.take()) == "ok");
  }
}

// --- calls in pieces -------------------------------------------------------------------------------------------------

struct StreamCallTest : DataPath, filter::HttpStreamEvents {
  std::unique_ptr<filter::HttpStreamCall> open(bool end_stream, std::string method = "POST") {
    filter::HttpCallRequest request{.cluster = cluster, .method = std::move(method), .path = "/check", .timeout = 2s};
    return calls.openHttp(std::move(request), end_stream, *this);
  }
  void onHead(uint16_t status, Fields, bool end_stream) override { tell("head " + std::to_string(status), end_stream); }
  void onData(std::string_view data, bool end_stream) override { tell("data " + std::string(data), end_stream); }
  void onTrailers(Fields trailers) override { tell("trailers " + trailers.at(0).second, true); }
  void onFailure(std::string_view failure) override { tell("failure " + std::string(failure), false); }
  size_t credit() override { return room; }

  void tell(std::string what, bool end_stream) {
    told.push_back(std::move(what) + (end_stream ? " end" : ""));
    if (drop_at == told.size()) call.reset();
  }

  std::string cluster = "c";
  size_t room = 64 * 1024;
  std::vector<std::string> told;
  std::optional<size_t> drop_at;  // how much is told when the call is destroyed
  std::unique_ptr<filter::HttpStreamCall> call;
};

TEST_CASE("a call in pieces sends its body and gives its answer as there is some") {
  StreamCallTest t;
  t.config->http.enable_trailers = true;
  t.call = t.open(false);
  t.call->sendData("ab", false);
  CHECK(contains(t.seen(), "POST /check HTTP/1.1\r\nhost: c\r\n"));
  t.call->sendData("cd", false);
  t.call->sendTrailers({{"sum", "4"}});
  CHECK(contains(t.seen(), "2\r\ncd\r\n0\r\nsum: 4\r\n\r\n"));

  t.answer("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nxy\r\n");
  CHECK(t.told == std::vector<std::string>{"head 200", "data xy"});
  t.answer("1\r\nz\r\n0\r\nseal: 7\r\n\r\n");
  CHECK(t.told == std::vector<std::string>{"head 200", "data xy", "data z", "trailers 7 end"});
  t.loop.pass(10s);
  CHECK(t.told.size() == 4);
}

TEST_CASE("a call in pieces without a body is its head") {
  StreamCallTest t;
  t.call = t.open(true, "GET");
  CHECK(contains(t.seen(), "GET /check HTTP/1.1\r\n"));
  t.answer(kOk);
  CHECK(t.told == std::vector<std::string>{"head 200", "data ok end"});
}

TEST_CASE("an answer in pieces comes only as far as its asker has credit") {
  StreamCallTest t;
  t.room = 0;
  t.call = t.open(true, "GET");
  t.seen();
  t.answer(kOk);
  CHECK(t.told.empty());  // HTTP/1: without credit nothing is read
  t.room = 100;
  t.call->resumeReading();
  t.loop.turn();
  CHECK(t.told == std::vector<std::string>{"head 200", "data ok end"});
}

TEST_CASE("a call in pieces tells how it failed") {
  StreamCallTest t;
  std::string expected;
  SECTION("no cluster") {
    t.cluster = "nowhere";
    t.call = t.open(false);
    expected = "failure no_cluster";
  }
  SECTION("no answer") {
    t.call = t.open(true);
    t.seen();
    t.loop.pass(2s);
    expected = "failure timeout";
  }
  SECTION("reset") {
    t.call = t.open(true);
    t.seen();
    t.host.peer(0).close();
    expected = "failure reset";
  }
  t.loop.turn();
  CHECK(t.told == std::vector<std::string>{expected});
}

TEST_CASE("a call in pieces may be destroyed whenever it tells something") {
  StreamCallTest t;
  t.config->http.enable_trailers = true;
  t.drop_at = GENERATE(1u, 2u, 3u);
  t.call = t.open(true, "GET");
  t.seen();
  t.answer("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nxy\r\n0\r\nseal: 7\r\n\r\n");
  CHECK(t.told.size() == *t.drop_at);
  CHECK(t.call == nullptr);
}

// --- detached calls --------------------------------------------------------------------------------------------------

TEST_CASE("a detached call goes on without its asker, for 15 s at most") {
  DataPath t;
  filter::HttpCallRequest request{.cluster = "c", .method = "POST", .path = "/tell", .body = "news"};
  CHECK(t.calls.sendDetached(request));
  CHECK(contains(t.seen(), "POST /tell HTTP/1.1\r\n"));
  SECTION("it is answered") {
    t.answer();
  }
  SECTION("it is not") {
    t.loop.pass(15s);
  }
  t.loop.turn();
  CHECK(t.stat("rq_active") == 0);
}

TEST_CASE("so many detached calls may be under way, and no more") {
  DataPath t;
  const filter::HttpCallRequest request{.cluster = "c", .path = "/tell", .timeout = 1s};
  for (size_t i = 0; i < filter::Calls::kMaxDetached; ++i) REQUIRE(t.calls.sendDetached(request));
  CHECK_FALSE(t.calls.sendDetached(request));
  t.loop.turn();
  t.loop.pass(2s);
  t.loop.turn();
  CHECK(t.calls.sendDetached(request));
  t.loop.turn();
  t.loop.pass(2s);
  t.loop.turn();
}

}  // namespace
}  // namespace sluice::server
