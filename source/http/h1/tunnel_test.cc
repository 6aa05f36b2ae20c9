// Upgrades and CONNECT: what follows the head is a tunnel or the next request, and only the answer tells.
#include <catch2/catch.hpp>

#include "source/http/h1/test_recorder.h"

namespace sluice::http::h1 {
namespace {

CodecLimits withUpgrades() {
  CodecLimits limits;
  limits.allow_upgrades = true;
  return limits;
}

constexpr std::string_view kUpgrade =
    "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n";
constexpr std::string_view kConnect = "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n";
constexpr std::string_view kNext = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

struct Server : ServerRecorder {
  Server() : ServerRecorder(withUpgrades()) { answers = false; }
  void head(uint16_t status) {
    ResponseHeaders headers(*arena);
    headers.status = status;
    codec->sendHeaders(last_stream, headers, false);
  }
};

TEST_CASE("an accepted upgrade turns the connection into a tunnel, with what came early") {
  Server server;
  server.feed(std::string(kUpgrade) + "early");
  CHECK(server.record.text() == "GET /chat @a\n");
  CHECK(server.request->upgrade == "websocket");
  CHECK(server.codec->inputBlocked());
  server.head(101);
  CHECK(server.sink.out == "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
  REQUIRE_FALSE(server.codec->inputBlocked());
  server.resume();
  server.feed(kNext);
  CHECK(server.record.text() == "GET /chat @a\ndata early" + std::string(kNext) + "\n");
  server.sink.out.clear();
  server.codec->sendData(server.last_stream, "raw", false);
  CHECK(server.sink.out == "raw");
  server.feedEnd();
  CHECK_FALSE(server.failed);
  CHECK(server.record.text().ends_with("end\n"));
  CHECK_FALSE(server.codec->shouldClose());
  server.codec->sendData(server.last_stream, "last", true);
  CHECK(server.sink.out == "rawlast");
  CHECK(server.codec->shouldClose());
}

TEST_CASE("the client's side of a tunnel goes on when ours has ended") {
  Server server;
  server.feed(kUpgrade);
  server.head(101);
  server.codec->sendData(server.last_stream, "bye", true);
  CHECK_FALSE(server.codec->shouldClose());
  CHECK_FALSE(server.codec->inputBlocked());
  server.feed("last word");
  CHECK(server.record.text() == "GET /chat @a\ndata last word\n");
  server.feedEnd();
  CHECK_FALSE(server.failed);
  CHECK(server.record.text().ends_with("end\n"));
  CHECK(server.codec->shouldClose());
}

TEST_CASE("behind a refused upgrade the connection goes on with the next request") {
  Server server;
  server.feed(std::string(kUpgrade) + std::string(kNext));
  server.reply(403, "no");
  CHECK_FALSE(server.codec->shouldClose());
  CHECK(server.record.text() == "GET /chat @a\n");
  server.resume();
  CHECK(server.record.text() == "GET /chat @a\nGET /next @a (end)\n");
}

TEST_CASE("bytes behind a refused CONNECT are nobody's") {
  Server server;
  server.feed(std::string(kConnect) + std::string(kNext));
  server.reply(403, "");
  CHECK(server.codec->shouldClose());
  server.resume();
  CHECK(server.record.text() == "CONNECT  @a:443\n");
}

TEST_CASE("a CONNECT that is accepted is a tunnel without framing") {
  Server server;
  server.feed(kConnect);
  ResponseHeaders headers(*server.arena);
  headers.status = 200;
  headers.add(Name::kContentLength, "5");
  server.codec->sendHeaders(server.last_stream, headers, false);
  CHECK(server.sink.out == "HTTP/1.1 200 OK\r\n\r\n");
  server.feed("hello");
  CHECK(server.record.text() == "CONNECT  @a:443\ndata hello\n");
}

TEST_CASE("an upgrade that is none is an ordinary request") {
  const auto upgradeOf = [](std::string_view fields) {
    Server server;
    server.feed("POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n");
    CHECK_FALSE(server.failed);
    return std::string(server.request->upgrade);
  };
  CHECK(upgradeOf("Connection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n").empty());
  CHECK(upgradeOf("Upgrade: websocket\r\n").empty());  // a hop in front of us did not mean it
  CHECK(upgradeOf("Connection: upgrade\r\n").empty());
  CHECK(upgradeOf("Connection: upgrade\r\nUpgrade: web socket\r\n").empty());
  CHECK(upgradeOf("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n").empty());
  CHECK(upgradeOf("Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n").empty());
  CHECK(upgradeOf("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n") == "websocket");
  CHECK(upgradeOf("Connection: upgrade\r\nUpgrade: h2c, TLS/1.0\r\n") == "tls/1.0");
}

TEST_CASE("protocols that are to be ignored are passed over, as if nobody had asked for them") {
  struct Listed : UpgradeFilter {
    bool ignores(std::string_view protocol) const override { return protocol.starts_with("TLS/"); }
  } listed;
  CodecLimits limits = withUpgrades();
  limits.ignored_upgrades = &listed;
  const auto upgradeOf = [&limits](std::string_view protocols) {
    ServerRecorder server(limits);
    server.answers = false;
    server.feed("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: " + std::string(protocols) + "\r\n\r\n");
    CHECK_FALSE(server.failed);
    return std::string(server.request->upgrade);
  };

  CHECK(upgradeOf("TLS/1.2").empty());
  CHECK(upgradeOf("TLS/1.2, WebSocket") == "websocket");
  CHECK(upgradeOf("WebSocket, TLS/1.2") == "websocket");
}

TEST_CASE("no tunnel without an answer that accepts it") {
  Server server;
  server.feed(kUpgrade);
  server.head(200);
  CHECK(server.sink.out == "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
  Server other;
  other.feed(kNext);
  other.head(101);
  CHECK(other.sink.out.empty());
  CHECK(other.codec->shouldClose());
}

struct Client : ClientRecorder {
  explicit Client(std::string_view method, std::string_view upgrade = "") : ClientRecorder("") {
    base::Arena arena;
    RequestHeaders headers(arena);
    headers.method = method;
    headers.path = method == "CONNECT" ? "" : "/";
    headers.authority = "a:1";
    headers.upgrade = upgrade;
    last_stream = codec->sendHeaders(headers, false);
  }
};

TEST_CASE("a client asks for an upgrade and tunnels once it is accepted") {
  Client client("GET", "websocket");
  CHECK(client.sink.out == "GET / HTTP/1.1\r\nhost: a:1\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
  client.sink.out.clear();
  client.codec->sendData(client.last_stream, "too early", false);
  CHECK(client.sink.out.empty());
  client.feed("HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nsec-x: 1\r\n\r\nearly");
  CHECK(client.record.text() == "response 101 'x' sec-x=1\ndata early\n");
  CHECK(client.codec->tunnelling(client.last_stream));
  CHECK_FALSE(client.codec->reusable());
  client.codec->sendData(client.last_stream, "raw", true);
  CHECK(client.sink.out == "raw");
  client.feedEnd();
  CHECK(client.ended);
}

TEST_CASE("a client's side of a tunnel goes on when the server's has ended") {
  Client client("CONNECT");
  client.feed("HTTP/1.1 200 OK\r\n\r\nbye");
  client.feedEnd();
  CHECK(client.ended);
  CHECK(client.codec->tunnelling(client.last_stream));
  client.sink.out.clear();
  client.codec->sendData(client.last_stream, "last ", false);
  client.codec->sendData(client.last_stream, "word", true);
  CHECK(client.sink.out == "last word");
  CHECK_FALSE(client.codec->tunnelling(client.last_stream));
}

TEST_CASE("a refused upgrade leaves a connection that can be used again") {
  Client client("GET", "websocket");
  client.feed("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
  CHECK(client.ended);
  CHECK(client.codec->reusable());
  CHECK(client.codec->freeStreams() == 1);
  Client connect("CONNECT");
  connect.feed("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
  CHECK(connect.ended);
  CHECK_FALSE(connect.codec->reusable());
}

TEST_CASE("a switch to something else than was asked for is an error") {
  for (const char* fields : {"Connection: upgrade\r\nUpgrade: other\r\n", "Upgrade: websocket\r\n", ""}) {
    Client client("GET", "websocket");
    client.feed("HTTP/1.1 101 x\r\n" + std::string(fields) + "\r\n");
    CHECK(client.failed);
  }
  Client connect("CONNECT");
  connect.feed("HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
  CHECK(connect.failed);
}

TEST_CASE("an accepted CONNECT has no framing, whatever it says") {
  Client client("CONNECT");
  CHECK(client.sink.out == "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n");
  client.feed("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nbytes");
  CHECK(client.record.text() == "response 200 'OK'\ndata bytes\n");
  CHECK_FALSE(client.ended);
}

}  // namespace
}  // namespace sluice::http::h1
