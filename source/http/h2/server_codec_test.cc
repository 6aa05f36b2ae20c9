#include <catch2/catch.hpp>

#include "source/http/h2/test_peer.h"

namespace sluice::http::h2 {
namespace {

TEST_CASE("a server says its settings and its window at once") {
  TestServer server;

  REQUIRE(server.frames() == "SETTINGS 0 4=65536 6=61440 3=100 8=1 9=1\nWINDOW_UPDATE 0 983041\n");
}

TEST_CASE("further settings are said behind its own") {
  Http2Settings settings = testSettings();
  settings.further = {{0x10, 7}, {0xf0f0, 1}};
  TestServer server(testLimits(), settings);

  REQUIRE(server.frames().starts_with("SETTINGS 0 4=65536 6=61440 3=100 8=1 9=1 16=7 61680=1\n"));
}

TEST_CASE("a request without body is heard and answered") {
  TestServer server;
  server.settle();

  REQUIRE(server.feed(server.get(1, "/x?y")));
  REQUIRE(server.events() == "1 GET /x?y @a https\n1 end\n");
  server.reply(1, 200, "hello", {{"content-type", "text/plain"}});

  REQUIRE(server.frames() == "HEADERS 1 :status=200 content-type=text/plain\nDATA 1 ES hello\n");
  REQUIRE(server.codec->idle());
}

TEST_CASE("a request's body and trailers are heard") {
  TestServer server;
  server.settle();

  server.feed(server.post(1, {{"content-length", "6"}, {"te", "trailers"}}) + data(1, "abc") + data(1, "def") +
              server.request(1, {{"x-sum", "7"}}));

  REQUIRE(server.events() == "1 POST / @a https content-length=6 te=trailers\n1 data abcdef\n1 trailers x-sum=7\n");
}

TEST_CASE("trailers follow the body of a response") {
  TestServer server;
  server.settle();
  server.feed(server.get(1));
  base::Arena arena;
  Trailers trailers(arena);
  trailers.add("grpc-status", "0");
  trailers.add("content-length", "1");

  server.begin(1);
  server.codec->sendData(1, "abc", false);
  server.codec->sendTrailers(1, trailers);

  REQUIRE(server.frames() == "HEADERS 1 :status=200\nDATA 1 abc\nHEADERS 1 ES grpc-status=0\n");
  REQUIRE(server.codec->idle());
}

TEST_CASE("an answer from inside an event goes out when the event is over") {
  TestServer server;
  server.settle();
  server.answers = true;

  server.feed(server.get(1) + server.get(3));

  REQUIRE(server.frames() == "HEADERS 1 ES :status=200\nHEADERS 3 ES :status=200\n");
}

TEST_CASE("what a window holds back waits, and its progress is told") {
  TestServer server;
  server.settle(setting(4, 10));
  server.feed(server.get(1));
  server.events();
  server.begin(1);
  server.codec->sendData(1, "0123456789abcdef", true);

  REQUIRE(server.codec->unsentBytes(1) == 6);
  REQUIRE(server.frames() == "HEADERS 1 :status=200\nDATA 1 0123456789\n");
  server.feed(windowUpdate(1, 4));
  REQUIRE(server.events() == "1 progress\n");
  REQUIRE(server.frames() == "DATA 1 abcd\n");
  REQUIRE(server.codec->unsentBytes(1) == 2);
  server.feed(settings(setting(4, 100)));
  REQUIRE(server.frames() == "SETTINGS 0 ACK\nDATA 1 ES ef\n");
  REQUIRE(server.codec->idle());
}

TEST_CASE("trailers wait for the body that a window holds back") {
  TestServer server;
  server.settle(setting(4, 2));
  server.feed(server.get(1));
  base::Arena arena;
  Trailers trailers(arena);
  trailers.add("grpc-status", "0");
  server.begin(1);
  server.codec->sendData(1, "abc", false);
  server.codec->sendTrailers(1, trailers);
  REQUIRE(server.frames() == "HEADERS 1 :status=200\nDATA 1 ab\n");

  server.feed(windowUpdate(1, 4));

  REQUIRE(server.frames() == "DATA 1 c\nHEADERS 1 ES grpc-status=0\n");
}

TEST_CASE("a stream whose response ended before its request lingers until its client ends it") {
  TestServer server;
  server.settle();
  server.feed(server.post(1, {{"content-length", "3"}}));
  server.events();

  server.reply(1, 413, "no");

  REQUIRE(server.frames() == "HEADERS 1 :status=413\nDATA 1 ES no\n");
  REQUIRE(server.codec->idle());
  std::string end;
  SECTION("by DATA, however long") {
    end = data(1, "", false) + data(1, "longer than it said", true);
  }
  SECTION("by trailers") {
    end = data(1, "x") + server.request(1, {{"x", "y"}});
  }
  SECTION("by RST_STREAM") {
    end = data(1, "x") + rst(1, kCancel);
  }
  REQUIRE(server.feed(windowUpdate(1, 2) + data(1, "late") + end + server.get(3)));
  REQUIRE(server.events() == "3 GET / @a https\n3 end\n");
  REQUIRE_FALSE(server.codec->endLingering(true));
  REQUIRE(server.frames().empty());
}

TEST_CASE("what lingers is reset without an error at the second call, or all of it at once") {
  TestServer server;
  server.settle();
  const auto answerEarly = [&server](uint32_t id) {
    server.feed(server.post(id));
    server.reply(id, 200);
    server.frames();
  };

  answerEarly(1);
  REQUIRE(server.codec->endLingering(false));
  answerEarly(3);
  REQUIRE(server.frames().empty());
  REQUIRE(server.codec->endLingering(false));
  REQUIRE(server.frames() == "RST_STREAM 1 0\n");
  answerEarly(5);
  answerEarly(7);
  server.feed(data(5, {}, true));
  REQUIRE_FALSE(server.codec->endLingering(true));

  REQUIRE(server.frames() == "RST_STREAM 3 0\nRST_STREAM 7 0\n");
  REQUIRE(server.codec->idle());
}

TEST_CASE("at most half of the streams that a client may have open linger") {
  Http2Settings settings = testSettings();
  settings.max_concurrent_streams = GENERATE(4, 1);
  TestServer server(testLimits(), settings);
  server.settle();
  for (uint32_t id = 1; settings.max_concurrent_streams == 4 && id < 5; id += 2) {
    server.feed(server.post(id));
    server.reply(id, 200);
  }
  server.frames();

  server.feed(server.post(5));
  server.reply(5, 200);

  const std::string oldest = settings.max_concurrent_streams == 4 ? "1" : "5";
  REQUIRE(server.frames() == "HEADERS 5 ES :status=200\nRST_STREAM " + oldest + " 0\n");
}

TEST_CASE("trailers that a response overtakes are not heard, and their end is not waited for when it is reset") {
  TestServer server;
  server.settle();
  server.feed(server.post(1));
  const std::string trailers = literal("x-sum", "1");
  server.feed(frame(kHeaders, kEndStream, 1, trailers.substr(0, 3)));
  REQUIRE(server.codec->bufferedBytes() == 1);
  server.reply(1, 200);
  const bool reset = GENERATE(false, true);
  if (reset) {
    REQUIRE_FALSE(server.codec->endLingering(true));
    REQUIRE(server.codec->bufferedBytes() == 0);
  }

  REQUIRE(server.feed(frame(kContinuation, kEndHeaders, 1, trailers.substr(3)) + server.get(3)));

  REQUIRE(server.frames() == (reset ? "HEADERS 1 ES :status=200\nRST_STREAM 1 0\n" : "HEADERS 1 ES :status=200\n"));
  REQUIRE(server.events() == "1 POST / @a https\n3 GET / @a https\n3 end\n");
  REQUIRE(server.requests[1]->trailers.size() == 0);
}

TEST_CASE("trailers that a response overtakes are not heard where a window holds the response's end back") {
  TestServer server;
  server.settle(setting(4, 1));
  server.feed(server.post(1));
  const std::string trailers = literal("x-sum", "1");
  server.feed(frame(kHeaders, kEndStream, 1, trailers.substr(0, 3)));
  REQUIRE(server.codec->bufferedBytes() == 1);
  if (GENERATE(false, true)) {
    server.reply(1, 200, "no");
  } else {
    base::Arena arena;
    Trailers of_response(arena);
    of_response.add("grpc-status", "0");
    server.begin(1);
    server.codec->sendData(1, "no", false);
    server.codec->sendTrailers(1, of_response);
  }
  REQUIRE(server.frames() == "HEADERS 1 :status=200\nDATA 1 n\n");

  REQUIRE(server.feed(frame(kContinuation, kEndHeaders, 1, trailers.substr(3))));

  REQUIRE(server.requests[1]->trailers.size() == 0);
  REQUIRE(server.frames().empty());
}

TEST_CASE("streams that linger do not keep a connection that drains") {
  TestServer server;
  server.settle();
  server.feed(server.post(1));
  server.reply(1, 200);
  server.codec->drain();
  server.feed(ping(number(2, 8), kAck));
  server.frames();

  REQUIRE(server.codec->shouldClose());
  REQUIRE_FALSE(server.codec->endLingering(true));
  REQUIRE(server.frames() == "RST_STREAM 1 0\n");
}

TEST_CASE("what comes behind the reset of an early response is dropped, and its client told once that it is closed") {
  TestServer server;
  server.settle();
  server.feed(server.post(1));
  server.reply(1, 200);
  server.codec->endLingering(true);
  server.frames();
  server.events();

  REQUIRE(server.feed(data(1, "late") + server.request(1, {{"x", "y"}}) + server.get(3)));

  REQUIRE(server.frames() == "RST_STREAM 1 5\n");
  REQUIRE(server.events() == "3 GET / @a https\n3 end\n");
}

TEST_CASE("informational heads go in front of the final one, 101 never") {
  TestServer server;
  server.settle();
  server.feed(server.get(1));
  base::Arena arena;
  ResponseHeaders hints(arena);
  hints.status = 103;
  hints.add("link", "x");
  hints.add("content-length", "3");

  server.codec->sendInformational(1, hints);
  hints.status = 101;
  server.codec->sendInformational(1, hints);
  server.reply(1, 200);
  server.codec->sendInformational(1, hints);

  REQUIRE(server.frames() == "HEADERS 1 :status=103 link=x\nHEADERS 1 ES :status=200\n");
}

TEST_CASE("answers to HEAD and of 204 and 304 have no body") {
  TestServer server;
  server.settle();
  server.feed(server.request(1, {{":method", "HEAD"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}}));
  server.feed(server.get(3) + server.get(5));

  server.reply(1, 200, "body", {{"content-length", "4"}});
  server.reply(3, 204, "body", {{"content-length", "4"}});
  server.reply(5, 304, "body", {{"content-length", "4"}});

  REQUIRE(server.frames() ==
          "HEADERS 1 ES :status=200 content-length=4\nHEADERS 3 ES :status=204\n"
          "HEADERS 5 ES :status=304 content-length=4\n");
  REQUIRE(server.codec->idle());
}

TEST_CASE("fields of an HTTP/1 connection are left out, and no value can break a line") {
  TestServer server;
  server.settle();
  server.feed(server.get(1));

  server.reply(1, 200, {},
               {{"connection", "x"},
                {"keep-alive", "1"},
                {"proxy-connection", "x"},
                {"transfer-encoding", "chunked"},
                {"upgrade", "h2c"},
                {"http2-settings", "x"},
                {"te", "gzip"},
                {"a", "b\r\nc"},
                {"X y", "1"}});

  REQUIRE(server.frames() == "HEADERS 1 ES :status=200 a=b  c x_y=1\n");
}

TEST_CASE("expect: 100-continue is told, another expectation is answered 417") {
  TestServer server;
  server.settle();

  server.feed(server.post(1, {{"expect", "100-Continue"}}));
  server.feed(server.post(3, {{"expect", "magic"}}));

  REQUIRE(server.events() == "1 POST / @a https (continue)\n3 reset protocol_error\n");
  REQUIRE(server.frames() == "HEADERS 3 ES :status=417 content-length=0\n");
}

TEST_CASE("a scheme is normalised, a host field is the authority (T4)") {
  TestServer server;
  server.settle();

  server.feed(server.request(1, {{":method", "GET"}, {":scheme", "hTTps"}, {":path", "/"}, {"host", "B:1"}}));
  server.feed(server.request(3, {{":method", "GET"}, {":scheme", "ftp"}, {":path", "/"}, {":authority", "a"}}));

  REQUIRE(server.events() == "1 GET / @B:1 https\n1 end\n3 reset protocol_error\n");
}

TEST_CASE("trailers that may not be trailers are dropped") {
  TestServer server;
  server.settle();

  server.feed(server.post(1) + server.request(1, {{"content-length", "1"}, {"authorization", "x"}, {"ok", "1"}}));

  REQUIRE(server.events() == "1 POST / @a https\n1 trailers ok=1\n");
}

TEST_CASE("trailers that are switched off end the request") {
  CodecLimits limits = testLimits();
  limits.enable_trailers = false;
  TestServer server(limits);
  server.settle();

  server.feed(server.post(1) + server.request(1, {{"ok", "1"}}));

  REQUIRE(server.events() == "1 POST / @a https\n1 end\n");
}

TEST_CASE("CONNECT has an authority only, and is a tunnel once it is answered 2xx") {
  TestServer server;
  server.settle();

  server.feed(server.request(1, {{":method", "CONNECT"}, {":authority", "db:5432"}}, false) + data(1, "to"));
  server.begin(1, 200, {{"content-length", "7"}});
  server.codec->sendData(1, "from", false);

  REQUIRE(server.events() == "1 CONNECT  @db:5432 \n1 data to\n");
  REQUIRE(server.frames() == "HEADERS 1 :status=200\nDATA 1 from\n");
  REQUIRE(server.feed(data(1, "end", true)));
  server.codec->sendData(1, {}, true);
  REQUIRE(server.frames() == "DATA 1 ES\n");
  REQUIRE(server.codec->idle());
}

Fields websocket() {
  return {{":method", "CONNECT"}, {":protocol", "WebSocket"}, {":scheme", "https"},
          {":path", "/chat"},     {":authority", "a"},        {"sec-websocket-version", "13"}};
}

TEST_CASE("an extended CONNECT looks like an upgrade, and 101 accepts it (RFC 8441)") {
  TestServer server;
  server.settle();

  server.feed(server.request(1, websocket(), false));
  server.begin(1, 101, {{"connection", "upgrade"}, {"upgrade", "websocket"}});
  server.codec->sendData(1, "frame", false);

  REQUIRE(server.events() == "1 GET /chat @a https upgrade:websocket sec-websocket-version=13\n");
  REQUIRE(server.frames() == "HEADERS 1 :status=200\nDATA 1 frame\n");
}

TEST_CASE("each side of a tunnel ends for itself") {
  TestServer server;
  server.settle();
  server.feed(server.request(1, websocket(), false) + server.request(3, websocket(), false));
  server.begin(1, 101);
  server.begin(3, 101);
  server.codec->sendData(1, {}, true);
  server.codec->sendData(3, {}, true);
  REQUIRE(server.frames() == "HEADERS 1 :status=200\nHEADERS 3 :status=200\nDATA 1 ES\nDATA 3 ES\n");
  server.events();

  server.feed(data(1, "more") + data(1, "end", true) + rst(3, kCancel));

  REQUIRE(server.events() == "1 data moreend\n1 end\n3 reset remote\n");
  REQUIRE(server.codec->idle());
}

TEST_CASE("an upgrade that is refused is a response; a success that accepts nothing cannot pass for a tunnel (S13)") {
  TestServer server;
  server.settle();
  server.feed(server.request(1, websocket(), false) + server.request(3, websocket(), false));

  server.reply(1, 403, "no");
  server.reply(3, 200, "a page");

  REQUIRE(server.frames() == "HEADERS 1 :status=403\nDATA 1 ES no\nHEADERS 3 ES :status=502 content-length=0\n");
}

TEST_CASE("101 to a request that asked for no upgrade is a fault of ours, never sent") {
  TestServer server;
  server.settle();
  server.feed(server.get(1));

  server.begin(1, 101);

  REQUIRE(server.frames() == "HEADERS 1 ES :status=502 content-length=0\n");
}

TEST_CASE("without allow_upgrades :protocol is no pseudo-header of ours (T6)") {
  TestServer server{CodecLimits{}};
  REQUIRE(server.frames().find(" 8=1") == std::string::npos);
  server.settle();

  server.feed(server.request(1, websocket(), false));

  REQUIRE(server.frames() == "RST_STREAM 1 1\n");
}

TEST_CASE("a peer's reset is told once, and what the owner still sends is ignored") {
  TestServer server;
  server.settle();
  server.feed(server.get(1));
  server.begin(1);
  server.frames();
  server.events();

  server.feed(rst(1, kCancel) + rst(1, kCancel));
  server.codec->sendData(1, "late", true);

  REQUIRE(server.events() == "1 reset remote\n");
  REQUIRE(server.frames().empty());
}

TEST_CASE("the owner's reset goes out and ends the events") {
  TestServer server;
  server.settle();
  server.feed(server.post(1) + server.post(3) + server.post(5));
  server.events();

  server.codec->reset(1, ResetReason::kLocal);
  server.codec->reset(3, ResetReason::kRefused);
  server.codec->reset(5, ResetReason::kProtocolError);

  REQUIRE(server.frames() == "RST_STREAM 1 2\nRST_STREAM 3 7\nRST_STREAM 5 1\n");
  REQUIRE(server.feed(data(1, "late")));
  REQUIRE(server.events().empty());
}

TEST_CASE("data behind a reset in one read is not heard (L2)") {
  TestServer server;
  server.settle();
  server.feed(server.post(1));
  server.events();
  server.on_headers = [&server](StreamId id) { server.codec->reset(id, ResetReason::kLocal); };

  server.feed(rst(1, kCancel) + data(1, "zombie") + server.post(3) + data(3, "zombie"));

  REQUIRE(server.events() == "1 reset remote\n3 POST / @a https\n");
}

TEST_CASE("a request's window opens as the owner consumes, the connection's at once") {
  Http2Settings settings = testSettings();
  settings.initial_connection_window = 65535;
  TestServer server(testLimits(), settings);
  server.settle();
  server.consumes = false;
  server.feed(server.post(1));

  for (int i = 0; i < 4; ++i) REQUIRE(server.feed(data(1, std::string(16384, 'x'))));
  REQUIRE(server.frames().find("WINDOW_UPDATE 1") == std::string::npos);
  server.codec->consumed(1, 50000);

  REQUIRE(server.frames() == "WINDOW_UPDATE 1 50000\n");
}

TEST_CASE("streams share the connection's window by turns") {
  TestServer server;
  server.settle(setting(4, 1 << 20));
  server.feed(server.get(1) + server.get(3));
  server.begin(1);
  server.begin(3);

  server.codec->sendData(1, std::string(200000, 'x'), false);  // takes the connection's 65535 bytes
  server.codec->sendData(3, "small", true);
  server.frames();
  server.feed(windowUpdate(0, 20000));

  REQUIRE(server.frames().find("DATA 3 ES small") != std::string::npos);
}

TEST_CASE("a drain tells the client twice and closes when the streams are done") {
  TestServer server;
  server.settle();
  server.feed(server.post(1));
  server.codec->drain();
  REQUIRE(server.frames() == "GOAWAY 0 2147483647 0\nPING 0\n");
  REQUIRE(server.feed(server.get(3)));  // was on its way

  server.feed(ping(number(2, 8), kAck));

  REQUIRE(server.frames() == "GOAWAY 0 3 0\n");
  REQUIRE_FALSE(server.codec->shouldClose());
  REQUIRE(server.feed(server.get(5)));  // beyond the last: not heard
  server.reply(1, 200);
  server.reply(3, 200);
  REQUIRE(server.codec->shouldClose());
  REQUIRE(server.events().find("5 ") == std::string::npos);
}

TEST_CASE("a second drain does not wait for the answer to the ping") {
  TestServer server;
  server.settle();

  server.codec->drain();
  REQUIRE_FALSE(server.codec->shouldClose());
  server.codec->drain();

  REQUIRE(server.frames() == "GOAWAY 0 2147483647 0\nPING 0\nGOAWAY 0 0 0\n");
  REQUIRE(server.codec->shouldClose());
}

TEST_CASE("a ping waits for its answer") {
  TestServer server;
  server.settle();

  server.codec->ping();
  REQUIRE(server.codec->awaitingPing());
  server.feed(ping("other-pi", kAck));
  REQUIRE(server.codec->awaitingPing());
  server.feed(ping(number(1, 8), kAck));

  REQUIRE_FALSE(server.codec->awaitingPing());
}

TEST_CASE("the end of input between requests is none too early, in the middle of one it is an error") {
  TestServer server;
  server.settle();
  REQUIRE_FALSE(server.codec->receiveEnd());
  REQUIRE(server.codec->shouldClose());

  TestServer waiting;
  waiting.settle();
  waiting.feed(waiting.get(1));
  REQUIRE_FALSE(waiting.codec->receiveEnd());
  REQUIRE_FALSE(waiting.codec->shouldClose());
  waiting.reply(1, 200);
  REQUIRE(waiting.codec->shouldClose());

  TestServer cut;
  cut.settle();
  cut.feed(cut.post(1));
  REQUIRE(cut.codec->receiveEnd()->detail == "http2.connection_ended");
}

TEST_CASE("after an error nothing is heard and the connection is to close") {
  TestServer server;
  server.settle();

  REQUIRE_FALSE(server.feed(ping("short") + server.get(1)));

  REQUIRE(server.error->detail == "http2.frame_size_error");
  REQUIRE(server.codec->shouldClose());
  REQUIRE_FALSE(server.feed(server.get(3)));
  REQUIRE(server.events().empty());
}

TEST_CASE("after the client's GOAWAY the connection ends with its last stream, and PING is answered until then") {
  TestServer server;
  server.settle();
  server.feed(server.get(1) + server.get(3));

  REQUIRE(server.feed(goaway(0, kNoError)));
  REQUIRE_FALSE(server.codec->shouldClose());
  server.reply(1, 200, "a");
  server.frames();
  REQUIRE(server.feed(ping()));
  REQUIRE(server.frames() == "PING 0 ACK\n");
  REQUIRE_FALSE(server.codec->shouldClose());
  server.reply(3, 200, "b");

  REQUIRE(server.frames() == "HEADERS 3 :status=200\nDATA 3 ES b\n");
  REQUIRE(server.codec->shouldClose());
}

TEST_CASE("the client's GOAWAY on a connection without streams ends it at once") {
  TestServer server;
  server.settle();

  REQUIRE(server.feed(goaway(0, kNoError)));

  REQUIRE(server.codec->shouldClose());
}

TEST_CASE("a stream that the server gives up ends with INTERNAL_ERROR") {
  TestServer server;
  server.settle();
  server.feed(server.get(1));

  server.codec->reset(1, ResetReason::kLocal);

  REQUIRE(server.frames() == "RST_STREAM 1 2\n");
}

TEST_CASE("values with bytes beyond ASCII are refused where that is wanted") {
  Http2Settings settings = testSettings();
  settings.disallow_obs_text = GENERATE(false, true);
  TestServer server(testLimits(), settings);
  server.settle();

  server.feed(server.post(1, {{"x-name", "J\xc3\xbcrgen"}}, true));

  REQUIRE((server.frames().find("RST_STREAM 1 1") != std::string::npos) == settings.disallow_obs_text);
}

}  // namespace
}  // namespace sluice::http::h2
