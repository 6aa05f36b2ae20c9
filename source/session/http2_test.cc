// A connection with the codec of HTTP/2 itself: what only frames can say.
#include <catch2/catch.hpp>

#include "source/http/h2/test_peer.h"
#include "source/session/test_session.h"

namespace sluice::session {
namespace {

using std::chrono::milliseconds;
namespace h2 = http::h2;

// A request without a body, by literals.
const std::string kBlock = h2::literal(":method", "GET") + h2::literal(":scheme", "http") + h2::literal(":path", "/") +
                           h2::literal(":authority", "a");

struct Http2Session : TestSession {
  Http2Session() { settings->codec_type = CodecType::kHttp2; }

  void open() {
    client = connect(http::h1::makeServerCodec, h2::makeServerCodec);
    send(h2::preface() + h2::frame(h2::kSettings, h2::kAck, 0, {}));
    frames();
  }
  void send(std::string_view bytes) {
    client->send(bytes);
    loop.turn();
  }
  std::string frames() {
    loop.turn();
    return h2::joined(reader.read(client->take()));
  }
  std::string get(uint32_t id) {
    return h2::headerFrames(
        id, deflater.block({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}}), true);
  }

  // Of a request whose body follows.
  std::string post(uint32_t id) {
    return h2::headerFrames(
        id, deflater.block({{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}}), false);
  }

  std::unique_ptr<TestClient> client;
  h2::FrameReader reader;
  h2::Deflater deflater;
};

TEST_CASE("after a client's GOAWAY its connection is closed with the last stream") {
  Http2Session t;
  t.open();
  SECTION("a stream runs") {
    t.send(t.get(1));
    t.send(h2::goaway(0, h2::kNoError));
    t.send(h2::ping());
    CHECK(t.frames() == "PING 0 ACK\n");
    CHECK_FALSE(t.client->ended);
    t.stream().answer(200, "ok");
    CHECK(t.frames().ends_with("\nDATA 1 ES ok\n"));
  }
  SECTION("no stream is open") {
    t.send(h2::goaway(0, h2::kNoError));
  }
  t.frames();
  CHECK(t.client->ended);
}

TEST_CASE("a request that was answered before its end may end until delayed_close_timeout, then its stream is reset") {
  Http2Session t;
  const bool in_event = GENERATE(false, true);
  if (in_event) t.terminals.on_head = [](TestTerminal& s) { s.answer(401, "no"); };
  t.open();
  t.send(t.post(1));
  if (!in_event) t.stream().answer(401, "no");
  CHECK(t.frames().ends_with("\nDATA 1 ES no\n"));
  CHECK(t.log.size() == 1);
  CHECK(t.stat("rq_active") == 0);
  SECTION("it ends") {
    t.send(h2::data(1, "the rest", true));
    t.loop.pass(milliseconds(5000));
    CHECK(t.frames().empty());
  }
  SECTION("it does not") {
    t.loop.pass(milliseconds(999));
    t.send(h2::data(1, "some of the rest"));
    CHECK(t.frames().empty());
    t.loop.pass(milliseconds(1));
    CHECK(t.frames() == "RST_STREAM 1 0\n");
  }
  t.terminals.on_head = nullptr;
  t.send(t.get(3));
  t.stream().answer(200, "ok");
  CHECK(t.frames().ends_with("\nDATA 3 ES ok\n"));
  CHECK(t.log.size() == 2);
}

TEST_CASE("requests that are answered while others linger have their time as well") {
  Http2Session t;
  t.open();
  t.send(t.post(1));
  t.stream().answer(401, "no");
  t.loop.pass(milliseconds(600));
  t.send(t.post(3));
  t.stream().answer(401, "no");
  t.frames();

  t.loop.pass(milliseconds(400));
  CHECK(t.frames() == "RST_STREAM 1 0\n");
  t.loop.pass(milliseconds(999));
  CHECK(t.frames().empty());
  t.loop.pass(milliseconds(1));
  CHECK(t.frames() == "RST_STREAM 3 0\n");
}

TEST_CASE("without delayed_close_timeout an early answer is reset with its end") {
  Http2Session t;
  t.settings->delayed_close_timeout = milliseconds(0);
  t.open();
  t.send(t.post(1));

  t.stream().answer(401, "no");

  CHECK(t.frames().ends_with("\nDATA 1 ES no\nRST_STREAM 1 0\n"));
}

TEST_CASE("the time of an early answer begins when its end has gone out") {
  Http2Session t;
  t.client = t.connect(http::h1::makeServerCodec, h2::makeServerCodec);
  t.send(h2::magic() + h2::settings(h2::setting(4, 1)) + h2::frame(h2::kSettings, h2::kAck, 0, {}));
  t.send(t.post(1));
  t.stream().answer(401, "no");
  CHECK(t.frames().ends_with("\nDATA 1 n\n"));
  t.loop.pass(milliseconds(5000));

  t.send(h2::windowUpdate(1, 1));

  CHECK(t.frames() == "DATA 1 ES o\n");
  t.loop.pass(milliseconds(999));
  CHECK(t.frames().empty());
  t.loop.pass(milliseconds(1));
  CHECK(t.frames() == "RST_STREAM 1 0\n");
}

TEST_CASE("a connection that closes waits for no request that was answered") {
  Http2Session t;
  t.settings->idle_timeout = milliseconds(500);
  t.open();
  t.send(t.post(1));
  t.stream().answer(401, "no");
  t.frames();
  SECTION("it drains") {
    t.last->drain();
    CHECK(t.frames() == "GOAWAY 0 2147483647 0\nPING 0\n");
    t.send(h2::ping(h2::number(2, 8), h2::kAck));
    CHECK(t.frames() == "GOAWAY 0 1 0\nRST_STREAM 1 0\n");
  }
  SECTION("it is idle") {
    t.loop.pass(milliseconds(500));
    CHECK(t.stat("cx_idle_timeout") == 1);
    CHECK(t.frames().ends_with("RST_STREAM 1 0\n"));
  }
  CHECK(t.client->ended);
}

TEST_CASE("a client that has not shown that it saw the notice of a drain is told the last stream in time") {
  Http2Session t;
  t.settings->drain_timeout = milliseconds(3000);
  t.open();
  t.send(t.get(1));
  t.last->drain();
  CHECK(t.frames().find("GOAWAY 0 2147483647 0") != std::string::npos);
  t.loop.pass(milliseconds(2999));
  t.send(t.get(3));
  CHECK(t.terminals.live.size() == 2);
  CHECK(t.frames().find("GOAWAY") == std::string::npos);

  t.loop.pass(milliseconds(1));

  CHECK(t.frames().find("GOAWAY 0 3 0") != std::string::npos);
  t.stream(1).answer(200, "");
  t.stream(0).answer(200, "");
  t.frames();
  CHECK(t.client->ended);
}

TEST_CASE("a connection whose client holds back the end of an answer lives as long as it may be flushed") {
  Http2Session t;
  t.settings->stream_idle_timeout = milliseconds(60'000);
  t.settings->stream_flush_timeout = milliseconds(5000);
  t.client = t.connect(http::h1::makeServerCodec, h2::makeServerCodec);
  t.send(h2::magic() + h2::settings(h2::setting(4, 1)) + h2::frame(h2::kSettings, h2::kAck, 0, {}));
  t.send(t.get(1));
  t.stream().answer(200, "held back");
  t.loop.pass(milliseconds(4999));
  CHECK(t.stat("cx_idle_timeout") == 0);

  t.loop.pass(milliseconds(1));

  CHECK(t.stat("cx_idle_timeout") == 1);
}

TEST_CASE("a route may say how long the end of its answer may be held back") {
  Http2Session t;
  t.settings->stream_idle_timeout = milliseconds(60'000);
  t.settings->stream_flush_timeout = milliseconds(5000);
  route::TableSpec table;
  route::VirtualHostSpec& all = table.virtual_hosts.emplace_back();
  all.domains = {"*"};
  route::RouteSpec& spec = all.routes.emplace_back();
  spec.path = "/";
  route::ForwardSpec forward;
  forward.flush_timeout = milliseconds(2000);
  spec.action = forward;
  t.tables.set(0, *route::Table::build(std::move(table)));
  t.client = t.connect(http::h1::makeServerCodec, h2::makeServerCodec);
  t.send(h2::magic() + h2::settings(h2::setting(4, 1)) + h2::frame(h2::kSettings, h2::kAck, 0, {}));
  t.send(t.get(1));
  t.stream().answer(200, "held back");
  t.loop.pass(milliseconds(1999));
  CHECK(t.stat("cx_idle_timeout") == 0);

  t.loop.pass(milliseconds(1));

  CHECK(t.stat("cx_idle_timeout") == 1);
}

TEST_CASE("budgets of HTTP/2 go by the time of the loop") {
  Http2Session t;
  t.settings->http2.stream_reset_burst = 2;
  t.settings->http2.stream_reset_rate = 10;
  t.open();
  const auto wait = GENERATE(200, 1);

  for (uint32_t id = 1; id < 40; id += 2) {
    t.loop.advance(milliseconds(wait));
    t.send(t.get(id) + h2::rst(id, h2::kCancel));
  }

  const std::string frames = t.frames();
  CHECK((frames.find("GOAWAY") == std::string::npos) == (wait == 200));
}

TEST_CASE("a header block that does not come to its end has the time of a head, whatever runs beside it (D7)") {
  Http2Session t;
  t.settings->request_headers_timeout = milliseconds(GENERATE(5000, 0));
  t.settings->stream_idle_timeout = milliseconds(7000);
  const milliseconds limit(t.settings->request_headers_timeout.count() > 0 ? 5000 : 7000);
  t.open();
  const bool beside = GENERATE(true, false);
  if (beside) t.send(t.get(1));
  t.send(h2::frame(h2::kHeaders, h2::kEndStream, 3, kBlock.substr(0, 9)));

  t.loop.pass(limit / 2);
  t.send(h2::frame(h2::kContinuation, 0, 3, kBlock.substr(9, 1)));
  t.loop.pass(limit / 2 - milliseconds(1));
  CHECK(t.frames().find("GOAWAY") == std::string::npos);
  t.loop.pass(milliseconds(1));

  CHECK(t.frames().find("GOAWAY") != std::string::npos);
  CHECK(t.stat("rq_header_timeout") == 1);
  CHECK(t.terminals.live.empty());
}

TEST_CASE("a header block that comes to its end in time disarms its timer, and each has its own time") {
  Http2Session t;
  t.settings->request_headers_timeout = milliseconds(5000);
  t.settings->stream_idle_timeout = milliseconds(0);
  t.open();

  t.send(h2::frame(h2::kHeaders, h2::kEndStream, 1, kBlock.substr(0, 9)));
  t.loop.pass(milliseconds(3000));
  // Its end and the beginning of the next one in one read.
  t.send(h2::frame(h2::kContinuation, h2::kEndHeaders, 1, kBlock.substr(9)) +
         h2::frame(h2::kHeaders, h2::kEndStream, 3, kBlock.substr(0, 9)));
  t.loop.pass(milliseconds(3000));
  t.send(h2::frame(h2::kContinuation, h2::kEndHeaders, 3, kBlock.substr(9)));
  t.loop.pass(milliseconds(60'000));

  CHECK(t.frames().find("GOAWAY") == std::string::npos);
  CHECK(t.terminals.live.size() == 2);
}

TEST_CASE("the time in which a header block is not read does not count against it") {
  Http2Session t;
  t.settings->request_headers_timeout = milliseconds(5000);
  t.settings->stream_idle_timeout = milliseconds(0);
  t.client = t.connect(http::h1::makeServerCodec, h2::makeServerCodec);
  t.send(h2::magic() + h2::settings(h2::setting(4, 1 << 24)) +
         h2::frame(h2::kWindowUpdate, 0, 0, h2::number(1 << 24, 4)) + h2::frame(h2::kSettings, h2::kAck, 0, {}));
  t.send(t.get(1));
  t.send(h2::frame(h2::kHeaders, h2::kEndStream, 3, kBlock.substr(0, 9)));
  t.loop.pass(milliseconds(2000));
  t.stream().answer(200, std::string(1 << 20, 'x'));

  // What the client sends now stays unread, because it reads nothing itself.
  t.send(h2::frame(h2::kContinuation, 0, 3, kBlock.substr(9, 1)));
  t.loop.pass(milliseconds(60'000));
  CHECK(t.stat("rq_header_timeout") == 0);

  for (int i = 0; i < 100; ++i) t.frames();
  t.loop.pass(milliseconds(2999));
  CHECK(t.stat("rq_header_timeout") == 0);
  t.loop.pass(milliseconds(1));
  CHECK(t.stat("rq_header_timeout") == 1);
}

TEST_CASE("how a client ends a stream is told in the log") {
  Http2Session t;
  t.open();
  const std::string post = h2::headerFrames(
      1,
      t.deflater.block(
          {{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}, {"content-length", "1"}}),
      false);
  t.send(post);
  std::string told;
  SECTION("by RST_STREAM") {
    t.send(h2::rst(1, h2::kCancel));
    told = "/ 0 http2.remote_reset DR";
  }
  SECTION("by REFUSED_STREAM") {
    t.send(h2::rst(1, h2::kRefusedStream));
    told = "/ 0 http2.remote_refuse DR";
  }
  SECTION("by breaking a rule of messages") {
    t.send(h2::data(1, "too long"));
    told = "/ 0 http2.violation.of.messaging.rule DPE";
  }
  REQUIRE(t.log.size() == 1);
  CHECK(t.log[0] == told);
}

TEST_CASE("a message that breaks a rule ends its stream, or its connection where that is wanted") {
  Http2Session t;
  t.settings->ends_at_invalid_message = GENERATE(false, true);
  t.open();
  t.send(t.get(1));

  t.send(h2::headerFrames(3, t.deflater.block({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"Bad", "1"}}),
                          true));

  const std::string frames = t.frames();
  CHECK((frames.find("GOAWAY") != std::string::npos) == t.settings->ends_at_invalid_message);
  CHECK(t.terminals.live.empty() == t.settings->ends_at_invalid_message);
  CHECK(t.client->ended == t.settings->ends_at_invalid_message);
}

}  // namespace
}  // namespace sluice::session
