// What a hostile peer can try for next to nothing: each flood is cut by its budget, and the same frames in the amounts
// that honest peers send are not.
#include <catch2/catch.hpp>

#include "source/http/h2/test_peer.h"

namespace sluice::http::h2 {
namespace {

using std::chrono::milliseconds;

std::string lastLine(const std::string& text) {
  const size_t end = text.find_last_not_of('\n');
  if (end == std::string::npos) return {};
  const size_t begin = text.rfind('\n', end);
  return text.substr(begin == std::string::npos ? 0 : begin + 1,
                     end - (begin == std::string::npos ? 0 : begin + 1) + 1);
}

// Feeds pieces of `size` frames each until the codec has enough; returns how many frames it took.
template <typename Make>
int flood(TestServer& server, int most, int size, Make make) {
  for (int sent = 0; sent < most; sent += size) {
    std::string bytes;
    for (int i = 0; i < size; ++i) bytes += make(sent + i);
    if (!server.feed(bytes)) return sent + size;
  }
  return most;
}

void requireCalmed(TestServer& server, std::string_view detail) {
  REQUIRE(server.error);
  REQUIRE(server.error->detail == detail);
  REQUIRE(lastLine(server.frames()).ends_with(" 11"));
  REQUIRE(server.codec->shouldClose());
}

TEST_CASE("rapid reset ends the connection (D1, CVE-2023-44487)") {
  TestServer server;
  server.settle();

  const int sent = flood(server, 1000, 10, [&](int i) {
    const auto id = static_cast<uint32_t>(2 * i + 1);
    return server.get(id) + rst(id, kCancel);
  });

  REQUIRE(sent <= 210);
  requireCalmed(server, "http2.rapid_reset");
}

TEST_CASE("resets that a client makes us send count as its own (D1, MadeYouReset)") {
  TestServer server;
  server.settle();
  const auto errors = GENERATE(0, 1, 2);

  const int sent = flood(server, 1000, 10, [&](int i) {
    const auto id = static_cast<uint32_t>(2 * i + 1);
    if (errors == 0) return server.get(id) + windowUpdate(id, 0x7fffffff) + windowUpdate(id, 0x7fffffff);
    if (errors == 1) return server.post(id, {{"content-length", "1"}}) + data(id, "too long");
    return server.request(id, {{":method", "GET"}});
  });

  REQUIRE(sent <= 210);
  requireCalmed(server, "http2.rapid_reset");
}

TEST_CASE("a client that gives up some of its requests is served on") {
  TestServer server;
  server.settle();

  for (uint32_t i = 0; i < 2000; ++i) {
    const uint32_t id = 2 * i + 1;
    REQUIRE(server.feed(server.get(id)));
    if (i % 4 == 0) {
      REQUIRE(server.feed(rst(id, kCancel)));
    } else {
      server.reply(id, 200);
    }
  }
}

TEST_CASE("long-polls that are given up now and then are no rapid reset, whatever their number") {
  TestServer server;
  server.settle();

  for (uint32_t i = 0; i < 2000; ++i) {
    const uint32_t id = 2 * i + 1;
    REQUIRE(server.feed(server.get(id)));
    server.now += milliseconds(100);
    REQUIRE(server.feed(rst(id, kCancel)));
  }
}

TEST_CASE("a client may give up all that it has open at once") {
  TestServer server;
  server.settle();
  std::string resets;
  for (uint32_t id = 1; id < 200; id += 2) {
    server.feed(server.get(id));
    resets += rst(id, kCancel);
  }

  REQUIRE(server.feed(resets));
}

TEST_CASE("how many streams may end early, at once and in the long run, can be set") {
  Http2Settings settings = testSettings();
  settings.stream_reset_burst = 5;
  settings.stream_reset_rate = 2;
  TestServer server(testLimits(), settings);
  server.settle();
  uint32_t id = 1;
  const auto giveUp = [&] {
    id += 2;
    return server.feed(server.get(id) + rst(id, kCancel));
  };

  for (int i = 0; i < 5; ++i) REQUIRE(giveUp());
  server.now += milliseconds(1000);
  REQUIRE(giveUp());
  REQUIRE(giveUp());
  giveUp();

  requireCalmed(server, "http2.rapid_reset");
}

TEST_CASE("CONTINUATION without end is cut (D2)") {
  TestServer server;
  server.settle();
  const std::string piece = GENERATE(std::string(), literal("a", "b"));
  server.feed(frame(kHeaders, 0, 1, literal(":method", "GET")));

  const int sent = flood(server, 1000, 1, [&](int) { return frame(kContinuation, 0, 1, piece); });

  REQUIRE(sent <= 20);
  requireCalmed(server, "http2.continuation_flood");
}

TEST_CASE("a head beyond the limit is answered 431, and its neighbours are served") {
  TestServer server;
  server.settle();
  server.answers = true;

  REQUIRE(server.feed(server.request(1, {{":method", "GET"},
                                         {":scheme", "http"},
                                         {":path", "/"},
                                         {":authority", "a"},
                                         {"big", std::string(70000 - 5000, 'x')}})));
  REQUIRE(server.feed(server.get(3)));

  REQUIRE(server.frames() == "HEADERS 1 ES :status=431 content-length=0\nHEADERS 3 ES :status=200\n");
  REQUIRE(server.events() == "1 reset protocol_error\n3 GET / @a https\n3 end\n");
}

TEST_CASE("more fields than the limit are answered 431, and the rest of the request is not wanted") {
  CodecLimits limits = testLimits();
  limits.max_header_count = 5;
  TestServer server(limits);
  server.settle();

  REQUIRE(server.feed(server.post(1, {{"a", "1"}, {"b", "1"}, {"c", "1"}, {"d", "1"}, {"e", "1"}, {"f", "1"}})));

  REQUIRE(server.frames() == "HEADERS 1 ES :status=431 content-length=0\n");
}

TEST_CASE("an HPACK bomb is counted as decoded, with what is thrown away (D3, CVE-2026-73550)") {
  TestServer server;
  server.settle();
  // A field of 3 KB enters the table once, then a byte stands for it; some of them are of a kind that is dropped.
  const std::string name =
      GENERATE(std::string("x"), std::string("cookie"), std::string("http2-settings"), std::string("host"));
  Deflater deflater(4096);
  Fields fields{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}};
  for (int i = 0; i < 10000; ++i) fields.emplace_back(name, std::string(2900, 'y'));
  const std::string block = deflater.block(fields);
  REQUIRE(block.size() < 30000);

  server.feed(headerFrames(1, block, true));

  requireCalmed(server, "http2.header_bomb");
}

TEST_CASE("cookie crumbs are joined, empty ones say nothing") {
  TestServer server;
  server.settle();

  REQUIRE(server.feed(
      server.post(1, {{"cookie", ""}, {"cookie", "a"}, {"cookie", ""}, {"cookie", "b"}, {"cookie", ""}}, true)));

  REQUIRE(server.requests[1]->head.get(Name::kCookie) == "a; b");
}

TEST_CASE("what is reported only gets through in one meaning, for requests only") {
  CodecLimits limits = testLimits();
  limits.report_only.add(StrictRule::kValueEdgeSpace);
  limits.report_only.add(StrictRule::kHostConflict);
  limits.report_only.add(StrictRule::kUnknownExpectation);
  TestServer server(limits);
  server.settle();

  REQUIRE(server.feed(server.post(1, {{"a-b", " \tx y "}, {"host", "b"}, {"expect", "x"}}, true)));

  RequestHeaders& head = server.requests[1]->head;
  CHECK(head.get("a-b") == "x y");
  CHECK(head.authority == "a");
  CHECK_FALSE(head.get("expect"));
  REQUIRE(head.let_through != nullptr);
  CHECK(head.let_through->examples[static_cast<size_t>(StrictRule::kValueEdgeSpace)] == "a-b");
  CHECK(head.let_through->examples[static_cast<size_t>(StrictRule::kHostConflict)] == "b");
  CHECK(head.let_through->examples[static_cast<size_t>(StrictRule::kUnknownExpectation)] == "x");
  REQUIRE(server.feed(server.post(3) + server.request(3, {{"x-sum", " 1"}})));
  CHECK(server.frames().find("RST_STREAM 3 1\n") != std::string::npos);
  REQUIRE(server.feed(server.post(5, {{"a", "x\r\ny"}}, true)));
  CHECK(server.frames().find("RST_STREAM 5 1\n") != std::string::npos);
}

TEST_CASE("trailers of a request that say who asks are dropped (S7)") {
  TestServer server;
  server.settle();

  REQUIRE(
      server.feed(server.post(1) + server.request(1, {{"x-user", "admin"}, {"authorization", "b"}, {"x-sum", "1"}})));

  const Trailers& trailers = server.requests[1]->trailers;
  REQUIRE(trailers.size() == 1);
  CHECK(trailers.begin()->name == "x-sum");
}

TEST_CASE("a thousand cookie crumbs are joined, and count each, in number and in bytes (T5)") {
  CodecLimits limits = testLimits();
  limits.max_header_count = 1000;
  TestServer server(limits);
  server.settle();
  Fields crumbs;
  std::string whole;
  for (int i = 0; i < 1000; ++i) {
    crumbs.emplace_back("cookie", "a=" + std::to_string(i));
    whole += (i == 0 ? "" : "; ") + crumbs.back().second;
  }

  REQUIRE(server.feed(server.post(1, crumbs, true)));
  REQUIRE(server.requests[1]->head.get(Name::kCookie) == whole);

  for (auto& [name, value] : crumbs) value += std::string(60, 'x');
  std::string block =
      server.deflater.block({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}});
  block += server.deflater.block(crumbs);
  REQUIRE(server.feed(headerFrames(3, block, true)));
  REQUIRE(lastLine(server.frames()) == "HEADERS 3 ES :status=431 content-length=0");
}

TEST_CASE("lines that are joined or dropped count towards the number of fields") {
  CodecLimits limits = testLimits();
  limits.max_header_count = 3;
  TestServer server(limits);
  server.settle();
  server.answers = true;
  const std::string name = GENERATE(std::string("cookie"), std::string("http2-settings"));
  Fields fields{{"host", "a"}, {name, "1"}, {name, "2"}};

  REQUIRE(server.feed(server.post(1, fields, true)));
  fields.emplace_back(name, "3");
  REQUIRE(server.feed(server.post(3, fields, true)));

  REQUIRE(server.frames() == "HEADERS 1 ES :status=200\nHEADERS 3 ES :status=431 content-length=0\n");
}

TEST_CASE("floods of control frames are cut (D4)") {
  TestServer server;
  server.settle();
  const auto kind = GENERATE(0, 1, 2, 3);
  server.feed(server.get(1));
  server.reply(1, 200);

  const int sent = flood(server, 100000, 100, [&](int) {
    if (kind == 0) return ping();
    if (kind == 1) return settings(setting(3, 100));
    if (kind == 2) return rst(1, kCancel);
    return server.get(1);  // a block on a stream that is over
  });

  REQUIRE(sent < 2000);
  requireCalmed(server, "http2.outbound_control_flood");
}

TEST_CASE("a keepalive ping now and then costs nothing") {
  TestServer server;
  server.settle();

  for (int i = 0; i < 20000; ++i) {
    server.now += milliseconds(20);
    REQUIRE(server.feed(ping()));
  }
}

TEST_CASE("a flood of control frames is cut however it is split over reads") {
  TestServer server;
  server.settle();

  const int sent = flood(server, 100000, 1, [](int) { return ping(); });

  REQUIRE(sent < 1100);
  requireCalmed(server, "http2.outbound_control_flood");
}

TEST_CASE("a peer that measures the path by a PING for each piece of a body is served on") {
  TestServer server;
  server.settle();
  server.feed(server.post(1));

  for (int i = 0; i < 20000; ++i) REQUIRE(server.feed(data(1, "a message") + ping()));

  server.feed(server.get(3));
  server.begin(3);
  for (int i = 0; i < 20000; ++i) {
    server.codec->sendData(3, "a message", false);
    REQUIRE(server.feed(windowUpdate(3, 9) + windowUpdate(0, 9) + ping()));
  }
}

TEST_CASE("a flood of PRIORITY is cut (D4)") {
  TestServer server;
  server.settle();

  const int sent = flood(server, 10000, 10, [](int) { return frame(kPriority, 0, 1, std::string("\0\0\0\3\x10", 5)); });

  REQUIRE(sent <= 110);
  requireCalmed(server, "http2.inbound_priority_frames_flood");
}

TEST_CASE("a flood of WINDOW_UPDATE is cut (D4)") {
  TestServer server;
  server.settle();

  const int sent = flood(server, 10000, 1, [](int) { return windowUpdate(0, 1); });

  REQUIRE(sent < 10);
  requireCalmed(server, "http2.inbound_window_update_frames_flood");
}

TEST_CASE("PRIORITY goes by the streams that are open, not by all that were") {
  TestServer server;
  server.settle();
  server.answers = true;
  const auto reorder = [](uint32_t id) { return frame(kPriority, 0, id, std::string("\0\0\0\3\x10", 5)); };

  for (uint32_t i = 0; i < 1000; ++i) REQUIRE(server.feed(reorder(2 * i + 1) + server.get(2 * i + 1)));
  const int sent = flood(server, 10000, 10, [&](int) { return reorder(1); });

  REQUIRE(sent <= 110);
  requireCalmed(server, "http2.inbound_priority_frames_flood");
}

TEST_CASE("a client that opens its window bit by bit over hours is served on") {
  TestServer server;
  server.settle();

  for (int i = 0; i < 10000; ++i) {
    server.now += milliseconds(1000);
    REQUIRE(server.feed(windowUpdate(0, 1) + frame(kPriority, 0, 1, std::string("\0\0\0\3\x10", 5))));
  }
}

TEST_CASE("WINDOW_UPDATE for what was sent is no flood") {
  TestServer server;
  server.settle();
  server.feed(server.get(1));
  server.begin(1);

  for (int i = 0; i < 1000; ++i) {
    server.codec->sendData(1, "some bytes", false);
    REQUIRE(server.feed(windowUpdate(1, 10) + windowUpdate(0, 10)));
  }
}

TEST_CASE("empty DATA frames are cut (D4, CVE-2019-9518)") {
  TestServer server;
  server.settle();
  server.feed(server.post(1));
  const auto padded = GENERATE(false, true);

  const int sent = flood(
      server, 100, 1, [&](int) { return padded ? frame(kData, kPadded, 1, std::string("\x02\0\0", 3)) : data(1, ""); });

  REQUIRE(sent == 2);
  requireCalmed(server, "http2.inbound_empty_frames_flood");
}

TEST_CASE("an empty DATA frame between others, or as the end, is fine") {
  TestServer server;
  server.settle();
  server.feed(server.post(1));

  REQUIRE(server.feed(data(1, "") + data(1, "x") + data(1, "") + data(1, "y") + data(1, "", true)));

  REQUIRE(server.events() == "1 POST / @a https\n1 data xy\n1 end\n");
}

TEST_CASE("an empty DATA frame as a sign of life now and then, or on each of many streams, is fine") {
  TestServer server;
  server.settle();
  for (uint32_t id = 1; id < 20; id += 2) REQUIRE(server.feed(server.post(id)));

  for (uint32_t id = 1; id < 20; id += 2) REQUIRE(server.feed(data(id, "")));
  for (int i = 0; i < 100; ++i) {
    server.now += milliseconds(2000);
    REQUIRE(server.feed(data(1, "")));
  }
}

TEST_CASE("tiny DATA is no flood over a long life") {
  TestClient client;
  client.settle();
  const Fields head{{":status", "200"}};

  for (uint32_t i = 0; i < 30000; ++i) {  // small answers on a connection that many share
    const StreamId id = client.send();
    REQUIRE(client.feed(client.response(id, head) + data(id, "ok") + data(id, "", true)));
    if (i % 100 == 0) client.frames(), client.events(), client.responses.clear();
  }
  const StreamId ticker = client.send();
  REQUIRE(client.feed(client.response(ticker, head)));
  for (int i = 0; i < 30000; ++i) {  // a tick of a clock
    client.now += milliseconds(20);
    REQUIRE(client.feed(data(ticker, "t")));
  }
}

TEST_CASE("DATA without end on a stream that is over is cut") {
  TestServer server;
  server.settle();
  server.feed(server.post(1));
  server.reply(1, 200);
  if (GENERATE(false, true)) server.codec->endLingering(true);

  const int sent = flood(server, 100000, 1000, [](int) { return data(1, "x"); });

  REQUIRE(sent <= 12000);
  requireCalmed(server, "http2.tiny_data_flood");
}

TEST_CASE("a flood of tiny DATA frames is cut (D5, CVE-2020-12603)") {
  TestServer server;
  server.settle();
  server.feed(server.post(1));

  const int sent = flood(server, 100000, 1000, [](int) { return data(1, "x"); });

  REQUIRE(sent <= 12000);
  requireCalmed(server, "http2.tiny_data_flood");
}

TEST_CASE("frames that one read makes us owe are bounded (max_outbound_frames)") {
  Http2Settings settings = testSettings();
  settings.max_outbound_frames = 20;
  TestServer server(testLimits(), settings);
  server.settle();
  server.answers = true;
  std::string bytes;
  for (uint32_t i = 0; i < 30; ++i) bytes += server.get(2 * i + 1);

  server.feed(bytes);

  requireCalmed(server, "http2.outbound_frames_flood");
}

TEST_CASE("a storm of informational heads resets the stream (S15)") {
  TestClient client;
  client.settle();
  client.send();
  client.frames();

  for (int i = 0; i < 33; ++i) REQUIRE(client.feed(client.response(1, {{":status", "103"}})));

  REQUIRE(client.frames() == "RST_STREAM 1 1\n");
  const std::string events = client.events();
  REQUIRE(lastLine(events) == "1 reset protocol_error");
}

TEST_CASE("a host that says now and then that it is at work is no storm") {
  TestClient client;
  client.settle();
  client.send();

  for (int i = 0; i < 200; ++i) {
    client.now += milliseconds(5000);
    REQUIRE(client.feed(client.response(1, {{":status", "102"}})));
  }
  REQUIRE(client.feed(client.response(1, {{":status", "200"}}, true)));

  const std::string events = client.events();
  REQUIRE(events.find("reset") == std::string::npos);
  REQUIRE(lastLine(events) == "1 end");
}

TEST_CASE("early hints on each of many streams are no storm") {
  TestClient client;
  client.settle();

  for (int i = 0; i < 2000; ++i) {
    const StreamId id = client.send();
    REQUIRE(client.feed(client.response(id, {{":status", "103"}}) + client.response(id, {{":status", "200"}}, true)));
  }

  REQUIRE(client.events().find("reset") == std::string::npos);
}

TEST_CASE("a client that ends none of its requests is answered on, and holds no more for it") {
  TestServer server;
  server.settle();

  for (uint32_t i = 0; i < 1000; ++i) {
    const uint32_t id = 2 * i + 1;
    REQUIRE(server.feed(server.post(id)));
    server.reply(id, 401);
    const std::string frames = server.frames();
    REQUIRE((frames.find("RST_STREAM") == std::string::npos) == (i < 50));
  }

  REQUIRE(server.codec->idle());
}

TEST_CASE("header blocks on a stream that is over are cut, whether it lingers or not (D4)") {
  TestServer server;
  server.settle();
  server.feed(server.post(1));
  server.reply(1, 200);

  const int sent = flood(server, 100000, 1, [&](int) { return server.request(1, {{"x", "y"}}, false); });

  REQUIRE(sent < 200);
  requireCalmed(server, "http2.outbound_control_flood");
}

TEST_CASE("ten thousand streams come and go without growing anything (D6)") {
  TestServer server;
  server.settle();
  server.answers = true;

  for (uint32_t i = 0; i < 10000; ++i) {
    REQUIRE(server.feed(server.get(2 * i + 1)));
    if (i % 100 == 0) server.frames(), server.events(), server.requests.clear();
  }

  REQUIRE(server.codec->idle());
}

}  // namespace
}  // namespace sluice::http::h2
