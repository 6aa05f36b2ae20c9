// The data path from socket to socket: timeouts and durations.
#include "source/server/test_data_path.h"
#include "source/stream/format_context.h"

namespace sluice::server {
namespace {

TEST_CASE("the route's timeout counts from the end of the request") {
  DataPath t;
  route::ForwardSpec action = t.forward("c");
  action.timeout = 2s;
  t.route("/", action);
  TestClient& client = t.connect();
  client.send(request("POST", "/", "content-length: 2\r\n", "a"));
  t.loop.pass(10s);
  client.send("b");
  t.loop.pass(1999ms);
  CHECK(client.take() == "");
  SECTION("nothing came") {
    t.loop.pass(1ms);
    const std::string got = client.take();
    CHECK(got.starts_with("HTTP/1.1 504 "));
    CHECK(bodyOf(got) == "upstream request timeout");
    CHECK(t.log.at(0) == "/ 504 response_timeout UT");
    CHECK_FALSE(client.ended);
  }
  SECTION("some of the response came") {
    t.answer("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
    t.loop.pass(1ms);
    CHECK(bodyOf(client.take()) == "abc");
    CHECK(client.ended);
    CHECK(t.log.at(0) == "/ 200 response_timeout UT");
  }
  t.host.peer(0).take();
  CHECK(t.host.peer(0).closed);
  CHECK(t.stat("rq_timeout") == 1);
}

TEST_CASE("a timeout of 0 is none, the default is 15 seconds") {
  DataPath t;
  t.settings->stream_idle_timeout = 0s;
  route::ForwardSpec action = t.forward("c");
  action.timeout = 0s;
  t.route("/none", action);
  TestClient& none = t.connect();
  TestClient& some = t.connect();
  none.send(get("/none"));
  some.send(get());
  t.loop.pass(14'999ms);
  CHECK(some.take() == "");
  t.loop.pass(1ms);
  CHECK(some.take().starts_with("HTTP/1.1 504 "));
  t.loop.pass(1h);
  CHECK(none.take() == "");
}

struct DeadlinePath : DataPath {
  explicit DeadlinePath(route::MaxStreamDuration duration) {
    route::ForwardSpec action = forward("c");
    action.max_stream_duration = duration;
    route("/", action);
  }
  explicit DeadlinePath(route::MaxGrpcTimeout timeout) {
    route::ForwardSpec action = forward("c");
    action.max_grpc_timeout = timeout;
    route("/", action);
  }
  // The grpc-timeout that the host gets for a call with this one; "none" without.
  std::string told(std::string_view header, bool grpc = true) {
    client = &connect();
    std::string fields = "content-length: 0\r\n";
    if (grpc) fields += "content-type: application/grpc\r\n";
    if (!header.empty()) fields += "grpc-timeout: " + std::string(header) + "\r\n";
    client->send(request("POST", "/", fields));
    const std::string got = seen(peers++);
    const size_t at = got.find("grpc-timeout: ");
    return at == std::string::npos ? "none" : got.substr(at + 14, got.find('\r', at) - at - 14);
  }
  // Whether the call is answered at this time and not before it.
  bool endsAfter(std::chrono::milliseconds time, std::string_view how) {
    loop.pass(time - 1ms);
    if (!client->take().empty()) return false;
    loop.pass(1ms);
    return contains(client->take(), how);
  }
  TestClient* client = nullptr;
  size_t peers = 0;
};

TEST_CASE("a stream lives as long as its route says, instead of the connection manager") {
  DeadlinePath t(route::MaxStreamDuration{.duration = 20s});
  t.settings->max_stream_duration = 5s;
  SECTION("a call is told") {
    CHECK(t.told("") == "20000m");
    CHECK(t.endsAfter(20s, "grpc-status: 4\r\n"));
    CHECK(t.log.at(0) == "/ 200 max_duration_timeout DT");
  }
  SECTION("a plain request gets 504, and no grpc-timeout") {
    CHECK(t.told("", false) == "none");
    CHECK(t.endsAfter(20s, "HTTP/1.1 504 "));
    CHECK(t.log.at(0) == "/ 504 max_duration_timeout DT");
  }
  SECTION("grpc-timeout does not count, but is passed on if it is shorter") {
    CHECK(t.told("3S") == "3S");
    CHECK(t.endsAfter(20s, "grpc-status: 4\r\n"));
    CHECK(t.told("30S") == "20000m");
  }
  SECTION("a call that is answered in part is reset") {
    t.told("");
    t.answer("HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ncontent-length: 10\r\n\r\nabc");
    t.loop.pass(20s);
    CHECK(bodyOf(t.client->take()) == "abc");
    CHECK(t.client->ended);
  }
}

TEST_CASE("a stream for which its route says 0 lives for ever, one for which it says nothing as configured") {
  DeadlinePath t(route::MaxStreamDuration{.duration = 0s});
  t.settings->stream_idle_timeout = 0s;
  t.settings->max_stream_duration = 5s;
  CHECK(t.told("") == "none");
  t.loop.pass(1h);
  CHECK(t.client->take() == "");

  DeadlinePath silent(route::MaxStreamDuration{});
  silent.settings->max_stream_duration = 5s;
  CHECK(silent.told("1S") == "1S");
  CHECK(silent.endsAfter(5s, "grpc-status: 4\r\n"));
}

TEST_CASE("grpc-timeout is the longest duration where the route lets it") {
  DeadlinePath t(route::MaxStreamDuration{.duration = 60s, .grpc_header_max = 10s, .grpc_header_offset = 500ms});
  SECTION("less the offset") {
    CHECK(t.told("3S") == "2500m");
    CHECK(t.endsAfter(2500ms, "grpc-status: 4\r\n"));
    CHECK(t.told("3000001u") == "2501m");
  }
  SECTION("up to the limit") {
    CHECK(t.told("99999999H") == "9500m");
    CHECK(t.endsAfter(9500ms, "grpc-status: 4\r\n"));
  }
  SECTION("of a plain request, too") {
    CHECK(t.told("1S", false) == "500m");
    CHECK(t.endsAfter(500ms, "HTTP/1.1 504 "));
  }
  SECTION("unless it is none") {
    for (const char* bad : {"", "1s", "100000000S", "-1S"}) CHECK(t.told(bad) == "60000m");
    CHECK(t.endsAfter(60s, "grpc-status: 4\r\n"));
  }
  SECTION("if nothing remains of it the stream is over") {
    t.told("500m");
    CHECK(contains(t.client->take(), "grpc-status: 4\r\n"));
  }
}

TEST_CASE("any grpc-timeout is the longest duration where its limit is 0") {
  DeadlinePath t(route::MaxStreamDuration{.grpc_header_max = 0s});
  t.settings->stream_idle_timeout = 0s;
  t.settings->max_stream_duration = 1s;
  CHECK(t.told("90S") == "90S");
  CHECK(t.endsAfter(90s, "grpc-status: 4\r\n"));
  CHECK(t.told("99999999H") == "99999999H");
}

TEST_CASE("a route without a timeout of its own has none where it limits the duration; one that is set holds") {
  DeadlinePath t(route::MaxStreamDuration{.duration = 60s});
  t.told("", false);
  CHECK(t.endsAfter(60s, "HTTP/1.1 504 "));
  route::ForwardSpec action = t.forward("c");
  action.max_stream_duration = route::MaxStreamDuration{.duration = 60s};
  action.timeout = 2s;
  t.route("/", action);
  t.told("", false);
  CHECK(t.endsAfter(2s, "upstream request timeout"));
}

TEST_CASE("max_grpc_timeout makes grpc-timeout the route's timeout") {
  DeadlinePath t(route::MaxGrpcTimeout{.max = 10s, .offset = 500ms});
  SECTION("less the offset") {
    CHECK(t.told("3S") == "2500m");
    CHECK(t.endsAfter(2500ms, "grpc-status: 4\r\n"));
    CHECK(t.log.at(0) == "/ 200 response_timeout UT");
  }
  SECTION("which is left out where nothing would remain") {
    CHECK(t.told("500m") == "500m");
    CHECK(t.told("0m") == "1m");
  }
  SECTION("up to the limit") {
    CHECK(t.told("99999999H") == "10000m");
    CHECK(t.told("") == "10000m");
    CHECK(t.endsAfter(10s, "grpc-status: 4\r\n"));
  }
  SECTION("not of plain requests") {
    CHECK(t.told("3S", false) == "3S");
    CHECK(t.endsAfter(15s, "HTTP/1.1 504 "));
  }
}

TEST_CASE("without a limit a call without grpc-timeout has none") {
  DeadlinePath t(route::MaxGrpcTimeout{});
  t.settings->stream_idle_timeout = 0s;
  CHECK(t.told("") == "none");
  t.loop.pass(1h);
  CHECK(t.client->take() == "");
  CHECK(t.told("3S") == "3000m");
  CHECK(t.endsAfter(3s, "grpc-status: 4\r\n"));
}

TEST_CASE("a request that waits for a connection times out, too") {
  DataPath t;
  t.thresholds[0].max_connections = 1;
  t.breakers->setLimits(t.thresholds);
  route::ForwardSpec action = t.forward("c");
  action.timeout = 2s;
  t.route("/short", action);
  TestClient& busy = t.connect();
  TestClient& waits = t.connect();
  busy.send(get());
  t.loop.turn();
  waits.send(get("/short"));
  t.loop.pass(2s);
  CHECK(waits.take().starts_with("HTTP/1.1 504 "));
  t.answer();
  CHECK(bodyOf(busy.take()) == "ok");
}

TEST_CASE("an internal caller chooses the timeout, and the host is told") {
  DataPath t;
  route::ForwardSpec action = t.forward("c");
  action.timeout = 5s;
  t.route("/", action);
  TestClient& client = t.connect();
  SECTION("shorter than the route's") {
    client.send(request("GET", "/", "x-envoy-upstream-rq-timeout-ms: 200\r\n"));
    const std::string seen = t.seen();
    CHECK(contains(seen, "x-envoy-expected-rq-timeout-ms: 200\r\n"));
    CHECK_FALSE(contains(seen, "x-envoy-upstream-rq-timeout-ms"));
    t.loop.pass(199ms);
    CHECK(client.take().empty());
    t.loop.pass(1ms);
    CHECK(client.take().starts_with("HTTP/1.1 504 "));
  }
  SECTION("none") {
    client.send(request("GET", "/", "x-envoy-upstream-rq-timeout-ms: 0\r\n"));
    CHECK_FALSE(contains(t.seen(), "expected-rq-timeout"));
    t.loop.pass(60s);
    t.answer();
    CHECK(bodyOf(client.take()) == "ok");
  }
  SECTION("what is no number says nothing") {
    client.send(request("GET", "/", "x-envoy-upstream-rq-timeout-ms: soon\r\n"));
    const std::string seen = t.seen();
    CHECK(contains(seen, "x-envoy-expected-rq-timeout-ms: 5000\r\n"));
    CHECK_FALSE(contains(seen, "soon"));
  }
}

struct ExpectedTimeout : route::ValueFormatter {
  void format(const stream::FormatContext& context, std::string& out) const override {
    out += context.request->get(http::Name::kXEnvoyExpectedRqTimeoutMs).value_or("nothing");
  }
};

TEST_CASE("a route's header additions see the timeout that the router expects") {
  DataPath t;
  t.routes.front().mutations.request.add.push_back(
      {.name = "x-budget", .value = {}, .formatter = std::make_shared<const ExpectedTimeout>()});
  t.route("/unused", t.forward("c"));
  t.connect().send(get());
  CHECK(contains(t.seen(), "x-budget: 15000\r\n"));
}

}  // namespace
}  // namespace sluice::server
