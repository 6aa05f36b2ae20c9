// Which codec serves a connection, and what each stream of many may have on its way.
#include <catch2/catch.hpp>

#include "source/session/line_codec.h"
#include "source/session/test_session.h"

namespace sluice::session {
namespace {

// Shakes hands as scripted, then is a plain socket.
class FakeTransport : public net::Transport {
 public:
  struct Script {
    Status handshake = Status::kWantRead;
    std::string alpn, sni;
  };
  explicit FakeTransport(const Script& script) : script_(script) {}
  Status handshake(const Io& io) override {
    char bytes[16];
    if (script_.handshake == Status::kDone) (void)!recv(io.fd, bytes, 1, 0);
    return script_.handshake;
  }
  Result read(const Io& io, char* to, size_t size) override {
    const ssize_t n = recv(io.fd, to, size, 0);
    if (n > 0) return {Status::kDone, static_cast<size_t>(n)};
    return {n == 0 ? Status::kEnd : Status::kWantRead};
  }
  Result write(const Io& io, const iovec* vectors, int count) override {
    const ssize_t n = writev(io.fd, vectors, count);
    return n < 0 ? Result{Status::kWantWrite} : Result{Status::kDone, static_cast<size_t>(n)};
  }
  void sendEnd(const Io&) override {}
  std::string_view applicationProtocol() const override { return script_.alpn; }
  std::string_view serverName() const override { return script_.sni; }

 private:
  const Script& script_;
};

class OtherChainGuard : public filter::ChainGuard {
 public:
  bool misdirected(std::string_view host, const void* chosen) const override {
    return chosen == this && host == "other.example";
  }
};

struct TlsSession : TestSession {
  std::unique_ptr<TestClient> connectTls() {
    auto client = connect(http::h1::makeServerCodec, LineCodec::make2, [this](filter::Accepted& accepted) {
      accepted.transport = std::make_unique<FakeTransport>(script);
      accepted.transport_timeout = milliseconds(3000);
      accepted.guard = guard;
      accepted.chosen_chain = guard.get();
    });
    client->send("x");
    return client;
  }
  FakeTransport::Script script;
  std::shared_ptr<const filter::ChainGuard> guard = std::make_shared<OtherChainGuard>();
};

TEST_CASE("the client's first bytes choose the codec, however they come") {
  TestSession t;
  t.settings->codec_type = CodecType::kAuto;
  t.terminals.on_end = [](TestTerminal& s) { s.answer(200, ""); };
  auto client = t.connect(http::h1::makeServerCodec, LineCodec::make2);
  const bool at_once = GENERATE(true, false);
  const auto send = [&](std::string_view text) {
    if (at_once) return client->send(text);
    for (const char c : text) {
      client->send({&c, 1});
      t.loop.turn();
    }
  };
  SECTION("the preface of HTTP/2") {
    send("PRI * HTTP/2.0\nH! 1 /a\n");
    t.loop.turn();
    CHECK(client->take() == "h 1 200\n! 1\n");
    CHECK(t.stat("cx_http2_active") == 1);
  }
  SECTION("a request of HTTP/1") {
    send("PRINT / HTTP/1.1\r\nhost: a\r\n\r\n");
    t.loop.turn();
    CHECK(client->take().starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(t.stat("cx_http1_active") == 1);
  }
  SECTION("a preface that is another's") {
    send("PRI * HTTP/2.1\r\n\r\n");
    t.loop.turn();
    CHECK(client->take().starts_with("HTTP/1.1 "));
    CHECK(t.stat("cx_http2_active") == 0);
  }
}

TEST_CASE("half a preface is a request head that has to become whole in time") {
  TestSession t;
  t.settings->codec_type = CodecType::kAuto;
  t.settings->request_headers_timeout = milliseconds(2000);
  auto client = t.connect(http::h1::makeServerCodec, LineCodec::make2);
  client->send("PRI * ");
  t.loop.turn();
  t.loop.advance(std::chrono::milliseconds(2001));
  t.loop.turn();
  CHECK(client->take().starts_with("HTTP/1.1 408 "));
  CHECK(t.stat("rq_header_timeout") == 1);
}

TEST_CASE("a client that goes before it said what it speaks leaves nothing") {
  TestSession t;
  t.settings->codec_type = CodecType::kAuto;
  auto client = t.connect(http::h1::makeServerCodec, LineCodec::make2);
  client->send("PR");
  t.loop.turn();
  client->finish();
  t.loop.turn();
  CHECK(t.open() == 0);
  CHECK(t.stat("cx_active") == 0);
}

TEST_CASE("after a handshake ALPN chooses the codec, without it the first bytes") {
  TlsSession t;
  t.settings->codec_type = CodecType::kAuto;
  t.terminals.on_end = [](TestTerminal& s) { s.answer(200, ""); };
  t.script.handshake = net::Transport::Status::kDone;
  SECTION("h2") {
    t.script.alpn = "h2";
    auto client = t.connectTls();
    client->send("H! 1 /\n");
    t.loop.turn();
    CHECK(client->take() == "h 1 200\n! 1\n");
    CHECK(t.stat("cx_ssl_active") == 1);
  }
  SECTION("http/1.1") {
    t.script.alpn = "http/1.1";
    auto client = t.connectTls();
    client->send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    t.loop.turn();
    CHECK(client->take().starts_with("HTTP/1.1 200"));
  }
  SECTION("none, HTTP/2") {
    auto client = t.connectTls();
    client->send("PRI * HTTP/2.0\nH! 1 /\n");
    t.loop.turn();
    CHECK(client->take() == "h 1 200\n! 1\n");
  }
  SECTION("the codec is configured") {
    t.settings->codec_type = CodecType::kHttp2;
    t.script.alpn = "http/1.1";
    auto client = t.connectTls();
    client->send("H! 1 /\n");
    t.loop.turn();
    CHECK(client->take() == "h 1 200\n! 1\n");
  }
}

TEST_CASE("requests over TLS are https, and know the server name") {
  TlsSession t;
  t.settings->codec_type = CodecType::kAuto;
  t.settings->use_remote_address = true;
  t.script = {net::Transport::Status::kDone, "http/1.1", "a.example"};
  auto client = t.connectTls();
  client->send("GET / HTTP/1.1\r\nhost: a.example\r\nx-forwarded-proto: http\r\n\r\n");
  t.loop.turn();
  REQUIRE(t.terminals.live.size() == 1);
  CHECK(t.stream().stream.request().scheme == "https");
  CHECK(t.stream().stream.request().get("x-forwarded-proto") == "https");
  CHECK(t.stream().stream.info().requested_server_name == "a.example");
}

TEST_CASE("a handshake that takes too long or fails ends the connection with an entry in the log") {
  TlsSession t;
  SECTION("too long") {
    auto client = t.connectTls();
    t.loop.turn();
    t.loop.advance(std::chrono::milliseconds(2999));
    t.loop.turn();
    CHECK(t.open() == 1);
    t.loop.advance(std::chrono::milliseconds(2));
    t.loop.turn();
    CHECK(t.stat("cx_transport_timeout") == 1);
  }
  SECTION("failed") {
    t.script.handshake = net::Transport::Status::kFailed;
    auto client = t.connectTls();
    t.loop.turn();
    CHECK(t.stat("cx_transport_failed") == 1);
  }
  CHECK(t.open() == 0);
  CHECK(t.stat("cx_ssl_active") == 0);
  CHECK(t.log.size() == 1);
}

TEST_CASE("a request whose host belongs to another filter chain is told to go elsewhere") {
  TlsSession t;
  t.script = {net::Transport::Status::kDone, "", "a.example"};
  t.terminals.on_end = [](TestTerminal& s) { s.answer(200, ""); };
  const auto status = [&](const std::string& host) {
    auto client = t.connectTls();
    client->send("GET / HTTP/1.1\r\nhost: " + host + "\r\n\r\n");
    t.loop.turn();
    return client->take().substr(9, 3);
  };
  CHECK(status("Other.Example:8443") == "421");
  CHECK(t.stat("rq_misdirected") == 1);
  CHECK(status("other.example.") == "200");
  CHECK(status("a.example:8443") == "200");
  CHECK(status("[::1]:8443") == "200");
}

// --- many streams ---

TEST_CASE("a stream's window opens as its bytes leave, and no other's") {
  TestSession t;
  t.settings->http2.initial_stream_window = 64 * 1024;
  auto client = t.connect(LineCodec::make);
  client->send("H 1 /1\nH 3 /3\n");
  t.loop.turn();
  t.stream(0).unsent = 60'000;  // the first one's upstream takes nothing
  const std::string body(30'000, 'x');
  client->send("D 1 " + body + "\nD 3 " + body + "\nD 1 " + body + "\nD 3 " + body + "\n");
  t.loop.turn();
  t.loop.turn();
  CHECK(LineCodec::consumed_bytes[1] == 0);
  CHECK(LineCodec::consumed_bytes[3] == 60'000);
  t.stream(0).unsent = 20'000;
  t.stream(0).runner.requestProgress();
  CHECK(LineCodec::consumed_bytes[1] == 40'000);
  t.stream(0).unsent = 0;
  t.stream(0).runner.requestProgress();
  CHECK(LineCodec::consumed_bytes[1] == 60'000);
}

TEST_CASE("a client that takes nothing of one stream holds up only that one") {
  TestSession t;
  auto client = t.connect(LineCodec::make);
  client->send("H! 1 /1\nH! 3 /3\n");
  t.loop.turn();
  LineCodec::unsent_bytes[1] = filter::ChainRunner::kWindow;
  CHECK(t.stream(0).runner.responseCredit() == 0);
  CHECK(t.stream(1).runner.responseCredit() == filter::ChainRunner::kWindow);
  LineCodec::unsent_bytes[1] = 0;
  t.stream(0).head(200, false);
  client->send("W 1\n");
  t.loop.turn();
  CHECK(t.stream(0).credit_grew == 1);
  CHECK(t.stream(1).credit_grew == 0);
}

TEST_CASE("a connection of many streams drains by GOAWAY and closes at once when idle") {
  TestSession t;
  auto client = t.connect(LineCodec::make);
  client->send("H! 1 /1\n");
  t.loop.turn();
  t.stream().answer(200, "");
  t.loop.turn();
  REQUIRE(t.open() == 1);
  t.last->drain();
  t.loop.turn();
  client->take();
  CHECK(client->ended);
}

TEST_CASE("max_connection_duration ends connections of many streams by itself") {
  TestSession t;
  t.settings->max_connection_duration = milliseconds(5000);
  auto client = t.connect(LineCodec::make);
  client->send("H! 1 /1\n");
  t.loop.turn();
  t.loop.advance(std::chrono::milliseconds(5001));
  t.loop.turn();
  CHECK(t.stat("cx_max_duration_reached") == 1);
  REQUIRE(t.terminals.live.size() == 1);
  t.stream().answer(200, "");
  t.loop.turn();
  client->take();
  CHECK(client->ended);
}

TEST_CASE("a client that answers no ping is gone") {
  TestSession t;
  t.settings->keepalive_interval = milliseconds(1000);
  t.settings->keepalive_timeout = milliseconds(500);
  t.settings->keepalive_jitter_percent = 0;
  auto client = t.connect(LineCodec::make);
  client->send("H! 1 /1\n");
  t.loop.turn();
  t.loop.advance(std::chrono::milliseconds(1001));
  t.loop.turn();
  CHECK(client->take() == "ping\n");
  SECTION("no answer") {
    t.loop.advance(std::chrono::milliseconds(501));
    t.loop.turn();
    CHECK(t.stat("cx_keepalive_timeout") == 1);
    CHECK(t.open() == 0);
    CHECK(t.terminals.live.empty());
  }
  SECTION("an answer") {
    client->send("P\n");
    t.loop.turn();
    t.loop.advance(std::chrono::milliseconds(501));
    t.loop.turn();
    CHECK(t.open() == 1);
    t.loop.advance(std::chrono::milliseconds(1001));
    t.loop.turn();
    CHECK(client->take() == "ping\n");
  }
}

}  // namespace
}  // namespace sluice::session
