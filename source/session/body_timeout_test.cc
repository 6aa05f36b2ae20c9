#include <catch2/catch.hpp>

#include "source/session/test_session.h"

namespace sluice::session {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kPost = "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n";

struct BodySession : TestSession {
  BodySession() {
    settings->request_body_timeout = 5s;
    settings->stream_idle_timeout = 60s;
  }
};

TEST_CASE("a request whose body does not come on is answered 408") {
  BodySession t;
  auto client = t.connect();
  client->send(kPost);
  t.loop.pass(4s);
  client->send("b");
  t.loop.pass(4s);
  CHECK(client->take() == "");
  t.loop.pass(1s);
  CHECK(client->take().starts_with("HTTP/1.1 408 "));
  CHECK(t.log.at(0) == "/a 408 stream_idle_timeout SI");
  CHECK(t.terminals.live.empty());
}

TEST_CASE("a request that is whole waits for its answer as long as any") {
  BodySession t;
  auto client = t.connect();
  SECTION("without a body") {
    client->send("GET /a HTTP/1.1\r\nhost: x\r\n\r\n");
  }
  SECTION("with one") {
    client->send(std::string(kPost) + "123456789");
  }
  t.loop.pass(59s);
  CHECK(client->take() == "");
  t.loop.pass(1s);
  CHECK(client->take().starts_with("HTTP/1.1 504 "));
}

TEST_CASE("a client that is held back is not waited for") {
  BodySession t;
  auto client = t.connect();
  client->send(kPost);
  t.loop.turn();
  t.stream().unsent = filter::ChainRunner::kWindow;
  t.loop.pass(20s);
  CHECK(client->take() == "");
  t.loop.pass(60s);
  CHECK(client->take().starts_with("HTTP/1.1 408 "));
}

TEST_CASE("the answer may begin before the body and go on beside it") {
  BodySession t;
  auto client = t.connect();
  client->send(kPost);
  t.loop.turn();
  t.stream().head(200, false, 5);
  t.loop.pass(59s);
  CHECK_FALSE(client->ended);
  CHECK(t.terminals.live.size() == 1);
}

TEST_CASE("gRPC may be silent") {
  BodySession t;
  auto client = t.connect();
  client->send("POST /s/M HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc\r\ntransfer-encoding: chunked\r\n\r\n");
  t.loop.pass(59s);
  CHECK(client->take() == "");
}

}  // namespace
}  // namespace sluice::session
