// The session over a codec that has many streams at once: it knows messages, not HTTP/1.
#include <catch2/catch.hpp>
#include <set>
#include <sstream>

#include "source/session/test_session.h"

namespace sluice::session {
namespace {

// A line is an event: "H 7 /path" head, "H! 7 /path" head and end, "D 7 text", "D! 7 text", "T 7 name" trailers, "R 7"
// reset, "X" breaks the protocol, "Q" ends it all. Answers: "h 7 200", "d 7 text", "! 7", "t 7", "r 7".
class LineCodec : public http::ServerCodec {
 public:
  LineCodec(http::ServerEvents& events, http::ByteSink& sink) : events_(events), sink_(sink) {}
  static std::unique_ptr<http::ServerCodec> make(http::ServerEvents& events, http::ByteSink& sink,
                                                 const http::CodecLimits&) {
    return std::make_unique<LineCodec>(events, sink);
  }

  std::optional<http::ProtocolError> receive(std::string_view bytes) override {
    kept_ += bytes;
    for (size_t end = kept_.find('\n'); end != std::string::npos; end = kept_.find('\n')) {
      const std::string line = kept_.substr(0, end);
      kept_.erase(0, end + 1);
      if (line == "X") return http::ProtocolError{400, "line.bad"};
      if (line == "Q") closed_ = true;
      std::istringstream in(line);
      std::string kind, text;
      http::StreamId id = 0;
      in >> kind >> id >> text;
      const bool ends = kind.ends_with('!');
      if (kind[0] == 'H') {
        http::RequestHeaders& headers = events_.beginRequest(id);
        headers.method = "GET";
        headers.path = headers.arena().copy(text);
        headers.authority = "x";
        headers.protocol = http::Protocol::kHttp2;
        open_.insert(id);
        events_.onRequestHeaders(id, ends, false);
      } else if (kind[0] == 'D') {
        events_.onRequestData(id, text, ends);
      } else if (kind[0] == 'T') {
        events_.beginRequestTrailers(id).add(text, "1");
        events_.onRequestTrailers(id);
      } else if (kind[0] == 'R') {
        open_.erase(id);
        events_.onRequestReset(id, http::ResetReason::kRemote);
      }
    }
    return std::nullopt;
  }
  std::optional<http::ProtocolError> receiveEnd() override { return std::nullopt; }
  bool inputBlocked() const override { return false; }
  std::optional<http::ProtocolError> resumeInput() override { return std::nullopt; }
  size_t bufferedBytes() const override { return kept_.size(); }
  void sendInformational(http::StreamId, const http::ResponseHeaders&) override {}
  void sendHeaders(http::StreamId id, const http::ResponseHeaders& headers, bool end) override {
    write("h", id, std::to_string(headers.status));
    if (end) finish(id);
  }
  void sendData(http::StreamId id, std::string_view data, bool end) override {
    if (!data.empty()) write("d", id, data);
    if (end) finish(id);
  }
  void sendTrailers(http::StreamId id, const http::Trailers&) override {
    write("t", id, "");
    open_.erase(id);
  }
  void reset(http::StreamId id, http::ResetReason) override {
    write("r", id, "");
    open_.erase(id);
  }
  void sendErrorReply(const http::ProtocolError&) override {
    sink_.write("goaway\n");
    closed_ = true;
  }
  bool multiplexed() const override { return true; }
  void drain() override { draining_ = true; }
  bool shouldClose() const override { return closed_ || (draining_ && open_.empty()); }
  bool idle() const override { return open_.empty() && kept_.empty(); }

 private:
  void write(std::string_view kind, http::StreamId id, std::string_view text) {
    std::string line(kind);
    line += " " + std::to_string(id) + (text.empty() ? "" : " ") + std::string(text) + "\n";
    sink_.write(line);
  }
  void finish(http::StreamId id) {
    write("!", id, "");
    open_.erase(id);
  }
  http::ServerEvents& events_;
  http::ByteSink& sink_;
  std::string kept_;
  std::set<http::StreamId> open_;
  bool closed_ = false;
  bool draining_ = false;
};

// The lines of one stream, joined.
std::string linesOf(const std::string& text, int id) {
  std::istringstream in(text);
  std::string out, line;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::string kind, rest;
    int of = -1;
    words >> kind >> of >> rest;
    if (of == id) out += kind + rest + " ";
  }
  return out;
}

TEST_CASE("a hundred streams interleave on one connection, each with its own messages") {
  TestSession t;
  auto client = t.connect(LineCodec::make);
  std::string lines;
  for (int id = 1; id <= 100; ++id) lines += "H " + std::to_string(id) + " /" + std::to_string(id) + "\n";
  client->send(lines);
  t.loop.turn();
  REQUIRE(t.terminals.live.size() == 100);
  CHECK(t.stat("rq_active") == 100);

  // Bodies in pieces, in another order each round.
  for (int round = 0; round < 3; ++round) {
    lines.clear();
    for (int i = 1; i <= 100; ++i) {
      const int id = (i * 37 + round * 11) % 101;
      lines += "D " + std::to_string(id) + " " + std::to_string(id) + "." + std::to_string(round) + ";\n";
    }
    client->send(lines);
    t.loop.turn();
  }
  for (int id = 1; id <= 100; ++id) client->send("D! " + std::to_string(id) + " end\n");
  t.loop.turn();
  for (TestTerminal* stream : t.terminals.live) {
    const std::string id = stream->path.substr(1);
    REQUIRE(stream->ended);
    std::string expected;
    for (int round = 0; round < 3; ++round) {
      if (id != std::to_string((round * 11) % 101)) expected += id + "." + std::to_string(round) + ";";
    }
    REQUIRE(stream->body == expected + "end");
  }

  // Answers interleave, too, and end in another order than they began.
  std::vector<TestTerminal*> streams = t.terminals.live;
  for (TestTerminal* stream : streams) stream->head(200, false);
  for (size_t i = 0; i < streams.size(); ++i) {
    TestTerminal* stream = streams[i * 63 % 100];
    stream->runner.responseData("a" + stream->path, false);
  }
  for (size_t i = 0; i < streams.size(); ++i) {
    TestTerminal* stream = streams[99 - i];
    stream->runner.responseData("z", true);
  }
  t.loop.turn();
  const std::string got = client->take();
  for (int id = 1; id <= 100; ++id) {
    REQUIRE(linesOf(got, id) == "h200 da/" + std::to_string(id) + " dz ! ");
  }
  CHECK(t.open() == 1);
  CHECK(t.stat("rq_active") == 0);
  CHECK(t.log.size() == 100);
}

TEST_CASE("one stream's end leaves the others alone") {
  TestSession t;
  auto client = t.connect(LineCodec::make);
  client->send("H 1 /1\nH 3 /3\nH 5 /5\n");
  t.loop.turn();
  SECTION("reset by the client") {
    client->send("R 3\n");
  }
  SECTION("answered before its request ended") {
    t.stream(1).answer(200, "");
  }
  SECTION("answered here before its request ended") {
    t.stream(1).runner.localReply({403, "no", "denied"});
  }
  SECTION("given up here") {
    t.stream(1).downstream.resetStream("why");
  }
  t.loop.turn();
  REQUIRE(t.terminals.live.size() == 2);
  client->send("D 3 late\nT 3 late\nD! 1 x\nD! 5 x\n");  // for the stream that is gone: dropped
  t.loop.turn();
  REQUIRE(t.open() == 1);
  t.stream(0).answer(200, "");
  t.loop.turn();
  t.stream(0).answer(200, "");
  t.loop.turn();
  const std::string got = client->take();
  CHECK(linesOf(got, 1) == "h200 ! ");
  CHECK(linesOf(got, 5) == "h200 ! ");
  CHECK(t.open() == 1);
}

TEST_CASE("the early end of the only stream leaves the connection open") {
  TestSession t;
  auto client = t.connect(LineCodec::make);
  client->send("H 1 /1\n");
  t.loop.turn();
  SECTION("answered") {
    t.stream().answer(200, "");
  }
  SECTION("refused") {
    t.stream().runner.localReply({403, "no", "denied"});
  }
  SECTION("reset by the client") {
    client->send("R 1\n");
  }
  t.loop.turn();
  CHECK(t.open() == 1);
  client->send("D! 1 late\nH! 3 /3\n");
  t.loop.turn();
  t.stream().answer(200, "");
  t.loop.turn();
  CHECK(linesOf(client->take(), 3) == "h200 ! ");
}

TEST_CASE("the end of the connection ends all streams") {
  TestSession t;
  auto client = t.connect(LineCodec::make);
  client->send("H 1 /1\nH! 3 /3\nH 5 /5\n");
  t.loop.turn();
  SECTION("the client goes") {
    client->close();
  }
  SECTION("the client breaks the protocol") {
    client->send("X\nH 7 /7\n");
  }
  SECTION("it is closed for good") {
    CHECK(t.last->closeNow("x"));
  }
  t.loop.turn();
  client->finish();
  t.loop.turn();
  CHECK(t.terminals.live.empty());
  CHECK(t.log.size() == 3);
  CHECK(t.open() == 0);
  CHECK(t.stat("rq_active") == 0);
}

TEST_CASE("a connection that drains ends after its last stream") {
  TestSession t;
  auto client = t.connect(LineCodec::make);
  client->send("H! 1 /1\nH! 3 /3\n");
  t.loop.turn();
  t.last->drain();
  t.stream(0).answer(200, "");
  t.loop.turn();
  REQUIRE(t.open() == 1);
  t.stream(0).answer(200, "");
  t.loop.turn();
  CHECK(linesOf(client->take(), 3) == "h200 ! ");
  CHECK(client->ended);
}

TEST_CASE("streams may end while all are told that bytes have left") {
  TestSession t;
  auto client = t.connect(LineCodec::make);
  for (int id = 1; id <= 50; ++id) client->send("H! " + std::to_string(id) + " /\n");
  t.loop.turn();
  std::vector<TestTerminal*> streams = t.terminals.live;
  const bool all = GENERATE(false, true);
  for (TestTerminal* stream : streams) {
    stream->on_credit = [&](TestTerminal& s) {
      if (all) {
        s.runner.resetResponse("why");
      } else {
        s.runner.responseData("end", true);
      }
    };
    stream->head(200, false);
    stream->runner.responseData(std::string(20'000, 'x'), false);
  }
  REQUIRE(streams[0]->runner.responseCredit() == 0);
  for (int i = 0; i < 100; ++i) {
    t.loop.turn();
    client->take();
  }
  CHECK(t.terminals.live.empty());
  CHECK(t.open() == 1);
}

TEST_CASE("streams beyond the end of the connection are not served") {
  TestSession t;
  t.terminals.on_end = [](TestTerminal& s) { s.answer(200, ""); };
  auto client = t.connect(LineCodec::make);
  client->send("H! 1 /1\nQ\nH! 3 /3\nH! 5 /5\n");
  t.loop.turn();
  CHECK(t.open() == 0);
  CHECK(t.terminals.live.empty());
  CHECK(t.stat("rq_active") == 0);
}

}  // namespace
}  // namespace sluice::session
