// What a connection waits for, and how long.
#include <catch2/catch.hpp>

#include "source/session/test_http1.h"

using namespace std::chrono_literals;

namespace sluice::session {
namespace {

// Holds every answer back for good.
struct Holder : filter::HttpFilter {
  filter::HookResult onResponseHeaders(http::ResponseHeaders&, filter::Context& context) override {
    token = context.resumeToken();
    return filter::Pause{};
  }
  filter::ResumeToken token;
};

TEST_CASE("an idle connection is closed after the idle timeout, one in use is not") {
  TestSession t;
  t.settings->idle_timeout = 10s;
  t.settings->stream_idle_timeout = 0ms;
  auto client = t.connect();
  t.loop.pass(9s);
  client->send(kGet);
  t.loop.turn();
  t.loop.pass(60s);
  REQUIRE(t.open() == 1);
  t.stream().answer(200, "");
  t.loop.pass(9s);
  REQUIRE(t.open() == 1);
  t.loop.pass(1s);
  CHECK(t.open() == 0);
  CHECK(t.stat("cx_idle_timeout") == 1);
}

TEST_CASE("a head that does not come in time is answered 408") {
  TestSession t;
  answerAll(t);
  t.settings->request_headers_timeout = 5s;
  auto client = t.connect();
  SECTION("on a new connection") {}
  SECTION("on a used one") {
    client->send(kGet);
    t.loop.turn();
    client->take();
  }
  SECTION("behind a request") {
    client->send(kGet + "GET");
    t.loop.turn();
    client->take();
  }
  t.loop.pass(60s);
  if (t.open() == 1) {
    client->send("G");
    t.loop.pass(3s);
    client->send("E");
    t.loop.pass(1999ms);
    CHECK(client->take() == "");
    t.loop.pass(1ms);
  }
  CHECK(client->take().starts_with("HTTP/1.1 408 Request Timeout\r\n"));
  CHECK(client->ended);
  CHECK(t.stat("rq_header_timeout") == 1);
  CHECK(t.stat("cx_protocol_error") == 0);
}

TEST_CASE("a head that comes in time disarms its timer") {
  TestSession t;
  t.settings->request_headers_timeout = 5s;
  auto client = t.connect();
  client->send("GET /a HT");
  t.loop.pass(4s);
  client->send("TP/1.1\r\nhost: x\r\n\r\n");
  t.loop.pass(30s);
  REQUIRE(t.open() == 1);
  t.stream().answer(200, "");
  t.loop.pass(30s);
  CHECK(undated(client->take()) == ok(""));
  CHECK(t.open() == 1);
}

TEST_CASE("a stream without traffic is given up") {
  TestSession t;
  t.settings->stream_idle_timeout = 10s;
  auto client = t.connect();
  SECTION("whose body does not come: 408") {
    client->send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\na");
    t.loop.pass(9s);
    client->send("b");
    t.loop.pass(9s);
    REQUIRE(client->take() == "");
    t.loop.pass(1s);
    CHECK(client->take().starts_with("HTTP/1.1 408 "));
    CHECK(t.log.at(0) == "/a 408 stream_idle_timeout SI");
  }
  SECTION("whose answer does not come: 504") {
    client->send(kGet);
    t.loop.pass(10s);
    CHECK(client->take().starts_with("HTTP/1.1 504 "));
    CHECK(t.open() == 1);
  }
  SECTION("though a filter holds the answer back that says so") {
    t.settings->chain = filter::fixedChain({{"holder", std::make_shared<filter::Factory<Holder>>()}});
    client->send(kGet);
    t.loop.pass(10s);
    CHECK(client->take() == "");
    t.loop.pass(10s);
    CHECK(client->take().starts_with("HTTP/1.1 504 "));
    client.reset();
    t.loop.turn();
    CHECK(t.open() == 0);
  }
  SECTION("whose answer stops: the connection is closed") {
    client->send(kGet);
    t.loop.turn();
    t.stream().head(200, false, 5);
    t.loop.pass(10s);
    CHECK(undated(client->take()) == "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
    CHECK(client->ended);
  }
  CHECK(t.terminals.live.empty());
}

TEST_CASE("a request that is not whole in time is answered 408") {
  TestSession t;
  t.settings->request_timeout = 5s;
  auto client = t.connect();
  client->send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\na");
  t.loop.pass(5s);
  CHECK(client->take().starts_with("HTTP/1.1 408 "));
  CHECK(t.log.at(0) == "/a 408 request_overall_timeout -");
}

TEST_CASE("the request timeout is over when the request is whole, the stream's duration is not") {
  TestSession t;
  t.settings->request_timeout = 5s;
  t.settings->max_stream_duration = GENERATE(0s, 3s, 20s);
  auto client = t.connect();
  client->send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n");
  t.loop.pass(1s);
  client->send("a");
  t.loop.pass(1s);
  REQUIRE(client->take() == "");
  t.loop.pass(18s);
  const std::string got = client->take();
  if (t.settings->max_stream_duration == 0s) {
    CHECK(got == "");
  } else {
    CHECK(got.starts_with("HTTP/1.1 504 "));
    CHECK(t.log.at(0) == "/a 504 max_duration_timeout DT");
  }
}

TEST_CASE("the stream's duration counts before the request is whole, too") {
  TestSession t;
  t.settings->request_timeout = 50s;
  t.settings->max_stream_duration = 3s;
  auto client = t.connect();
  client->send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n");
  t.loop.pass(3s);
  CHECK(client->take().starts_with("HTTP/1.1 408 "));
  CHECK(t.log.at(0) == "/a 408 max_duration_timeout DT");
}

}  // namespace
}  // namespace sluice::session
