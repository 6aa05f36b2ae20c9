// Connections that are to end: with their next answer, at once, or when they have served enough.
#include <catch2/catch.hpp>

#include "source/session/test_http1.h"

using namespace std::chrono_literals;

namespace sluice::session {
namespace {

TEST_CASE("the last request that a connection may carry is told so") {
  TestSession t;
  answerAll(t);
  t.settings->max_requests_per_connection = 2;
  auto client = t.connect();
  client->send(kGet);
  t.loop.turn();
  CHECK(undated(client->take()) == ok("hi"));
  client->send(kGet);
  t.loop.turn();
  CHECK(undated(client->take()) == ok("hi", "connection: close\r\n"));
  CHECK(client->ended);
  CHECK(t.stat("cx_max_requests_reached") == 1);
  client->close();
  t.loop.turn();
  CHECK(t.open() == 0);
}

TEST_CASE("the first answer after a connection's longest duration is its last") {
  TestSession t;
  answerAll(t);
  t.settings->max_connection_duration = 60s;
  auto client = t.connect();
  client->send(kGet);
  t.loop.pass(59s);
  CHECK(undated(client->take()) == ok("hi"));
  t.loop.pass(30s);
  REQUIRE(t.open() == 1);  // closing it now would race with a request on its way
  client->send(kGet);
  t.loop.turn();
  CHECK(undated(client->take()) == ok("hi", "connection: close\r\n"));
  CHECK(client->ended);
  CHECK(t.stat("cx_max_duration_reached") == 1);
}

TEST_CASE("an old connection without a request is closed after the time to drain where that is wanted") {
  TestSession t;
  answerAll(t);
  t.settings->max_connection_duration = 60s;
  t.settings->closes_old_idle = true;
  auto client = t.connect();
  client->send(kGet);
  t.loop.pass(30s);
  CHECK(undated(client->take()) == ok("hi"));
  t.loop.pass(34'999ms);
  REQUIRE(t.open() == 1);
  t.loop.pass(1ms);
  CHECK(t.open() == 0);
  CHECK(t.stat("cx_max_duration_reached") == 1);
  CHECK(t.stat("cx_idle_timeout") == 0);
}

TEST_CASE("connections that began together do not all end together") {
  TestSession t;
  t.settings->max_connection_duration = 60s;
  t.settings->max_connection_duration_jitter = 0.5;
  t.settings->closes_old_idle = true;
  t.settings->drain_timeout = 0s;
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 32; ++i) clients.push_back(t.connect());
  t.loop.pass(59'999ms);
  CHECK(t.open() == 32);
  t.loop.pass(15s);
  CHECK(t.open() > 0);
  CHECK(t.open() < 32);
  t.loop.pass(15'001ms);
  CHECK(t.open() == 0);
}

TEST_CASE("a connection that drains says so with its next answer") {
  TestSession t;
  auto client = t.connect();
  SECTION("of a request that runs") {
    client->send(kGet);
    t.loop.turn();
    t.last->drain();
  }
  SECTION("of a request that comes") {
    t.last->drain();
    t.loop.pass(60s);
    REQUIRE(t.open() == 1);
    client->send(kGet);
    t.loop.turn();
  }
  SECTION("and leaves what is pipelined unanswered, but its answer whole") {
    t.last->drain();
    client->send(kGet + kGet);
    t.loop.turn();
  }
  t.stream().answer(200, "hi");
  t.loop.turn();
  client->send(kGet);
  t.loop.turn();
  CHECK(undated(client->take()) == ok("hi", "connection: close\r\n"));
  CHECK(client->ended);
  CHECK_FALSE(client->broken);
  CHECK(t.terminals.made == 1);
}

TEST_CASE("a connection that is to drain at its answer is served, and told with it") {
  TestSession t;
  auto client = t.connect();
  t.last->drainAtAnswer();
  client->send(kGet);
  t.loop.turn();
  t.stream().answer(200, "hi");
  t.loop.turn();
  CHECK(undated(client->take()) == ok("hi", "connection: close\r\n"));
  CHECK(client->ended);
}

TEST_CASE("an idle connection that drains stays until it is closed for good") {
  TestSession t;
  auto client = t.connect();
  t.last->drain();
  t.loop.pass(10s);
  CHECK(t.open() == 1);
  CHECK_FALSE(t.last->closeNow("drain_timeout"));
  t.loop.turn();
  CHECK(t.open() == 0);
  client->take();
  CHECK(client->ended);
}

TEST_CASE("closing for good cuts the request that runs") {
  TestSession t;
  auto client = t.connect();
  client->send(kGet);
  t.loop.turn();
  CHECK(t.last->closeNow("drain_timeout"));
  t.loop.turn();
  CHECK(t.terminals.live.empty());
  CHECK(t.log.at(0) == "/a 0 drain_timeout LR");
}

}  // namespace
}  // namespace sluice::session
