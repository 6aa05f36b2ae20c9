// How a client's connection ends when the client does: over TCP, which knows resets.
#include <catch2/catch.hpp>

#include "source/session/test_session.h"

using namespace std::chrono_literals;

namespace sluice::session {
namespace {

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nhost: x\r\n\r\n";

TEST_CASE("a client that resets takes its requests with it, whatever of it is unread") {
  TestSession t;
  auto client = t.connectTcp();
  const bool same_edge = GENERATE(true, false);
  SECTION("before its first byte") {}
  SECTION("inside the head") {
    client->send("GET /a HTT");
  }
  SECTION("inside the body") {
    client->send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc");
  }
  SECTION("inside a body that does not go on") {
    t.terminals.on_head = [](TestTerminal& stream) { stream.unsent = 1 << 20; };
    client->send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n\r\n" + std::string(200'000, 'b'));
  }
  SECTION("with a whole request in flight") {
    client->send(kGet);
  }
  SECTION("with bytes behind the request in flight") {
    client->send(kGet);
    t.loop.turn();
    client->send("G");
  }
  SECTION("while its answer is written") {
    t.terminals.on_end = [](TestTerminal& stream) {
      stream.head(200, false);
      stream.runner.responseData(std::string(4 << 20, 'x'), false);
    };
    client->send(kGet);
  }
  if (!same_edge) t.loop.turn();
  client->reset();

  CHECK(t.loop.until([&] { return t.open() == 0; }));
  CHECK(t.terminals.live.empty());
  CHECK(t.stat("rq_active") == 0);
  CHECK(t.stat("cx_active") == 0);
}

TEST_CASE("a client that ends while its answer is written is gone, unread bytes of it or not") {
  TestSession t;
  t.terminals.on_end = [](TestTerminal& stream) {
    stream.head(200, false);
    stream.runner.responseData("begun", false);
  };
  auto client = t.connectTcp();
  client->send(kGet);
  t.loop.turn();
  if (GENERATE(true, false)) client->send("G");

  client->finish();

  CHECK(t.loop.until([&] { return t.open() == 0; }));
  CHECK(t.terminals.live.empty());
}

TEST_CASE("a finished answer goes out though its client ends while its next request runs") {
  TestSession t;
  t.terminals.on_end = [](TestTerminal& stream) {
    if (stream.path == "/1") stream.answer(200, "first");
  };
  auto client = t.connectTcp();
  client->send("GET /1 HTTP/1.1\r\nhost: x\r\n\r\nGET /2 HTTP/1.1\r\nhost: x\r\n\r\n");
  client->finish();

  std::string got;
  CHECK(t.loop.until([&] {
    got += client->take();
    return client->ended;
  }));
  CHECK(got.ends_with("first"));
  CHECK_FALSE(client->broken);
  CHECK(t.open() == 0);
}

TEST_CASE("an idle timeout does not cut the answer before it") {
  TestSession t;
  t.settings->idle_timeout = 3s;
  t.terminals.on_end = [](TestTerminal& stream) { stream.answer(200, std::string(8 << 20, 'x')); };
  auto client = t.connectTcp();
  client->send(kGet);
  t.loop.turn();

  t.loop.pass(4s);
  std::string got;
  CHECK(t.loop.until([&] {
    got += client->take();
    return client->ended || client->broken;
  }));

  CHECK(got.size() > (8 << 20));
  CHECK_FALSE(client->broken);
}

TEST_CASE("requests of one batch that are answered at once wait while the client takes nothing") {
  TestSession t;
  t.terminals.on_end = [](TestTerminal& stream) { stream.answer(200, std::string(20'000, 'x')); };
  auto client = t.connectTcp();
  std::string many;
  for (int i = 0; i < 2000; ++i) many += kGet;
  client->send(many);
  for (int i = 0; i < 20; ++i) t.loop.turn(1);

  // What sockets of loopback hold, and one limit's worth.
  CHECK(t.terminals.made < 800);

  size_t answered = 0;
  CHECK(t.loop.until([&] {
    const std::string got = client->take();
    for (size_t at = got.find("HTTP/1.1"); at != std::string::npos; at = got.find("HTTP/1.1", at + 1)) ++answered;
    return answered >= 1990;  // some may stand across two reads
  }));
  CHECK(t.terminals.made == 2000);
}

TEST_CASE("a client that is gone is not answered what it had sent ahead") {
  TestSession t;
  t.terminals.on_end = [](TestTerminal& stream) { stream.answer(200, std::string(20'000, 'x')); };
  auto client = t.connectTcp();
  std::string many;
  for (int i = 0; i < 2000; ++i) many += kGet;
  client->send(many);
  for (int i = 0; i < 20; ++i) t.loop.turn(1);
  const int made = t.terminals.made;

  client->reset();
  for (int i = 0; i < 20; ++i) t.loop.turn(1);

  CHECK(made < 800);
  CHECK(t.terminals.made == made);
}

TEST_CASE("an answer that only the end delimits is cut by a reset behind its bytes, one with a length by an end") {
  const bool until_end = GENERATE(true, false);
  TestSession t;
  t.settings->codec_limits.accept_http_10 = true;
  t.terminals.on_end = [](TestTerminal& stream) {
    stream.head(200, false, stream.path == "/length" ? std::optional<size_t>(100) : std::nullopt);
    stream.runner.responseData("begun", false);
  };
  auto client = t.connectTcp();
  client->send(std::string("GET ") + (until_end ? "/until" : "/length") + " HTTP/1.0\r\nhost: x\r\n\r\n");
  REQUIRE(t.loop.until([&] { return t.terminals.live.size() == 1; }));

  t.stream().runner.resetResponse("broken");
  std::string got;
  CHECK(t.loop.until([&] {
    t.loop.pass(10ms);
    got += client->take();
    return client->ended || client->broken;
  }));

  CHECK(got.ends_with("begun"));
  CHECK(client->broken == until_end);
}

}  // namespace
}  // namespace sluice::session
