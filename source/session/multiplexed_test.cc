// The session over a codec that has many streams at once: it knows messages, not HTTP/1.
#include <catch2/catch.hpp>
#include <sstream>

#include "source/session/line_codec.h"
#include "source/session/test_session.h"

namespace sluice::session {
namespace {

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

TEST_CASE("a connection that is to drain at its answer begins to with the first one") {
  TestSession t;
  auto client = t.connect(LineCodec::make);
  t.last->drainAtAnswer();
  client->send("H! 1 /1\n");
  t.loop.turn();
  REQUIRE(t.open() == 1);
  t.stream(0).answer(200, "");
  t.loop.turn();
  CHECK(linesOf(client->take(), 1) == "h200 ! ");
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
  client->finish();
  t.loop.turn();
  CHECK(t.open() == 0);
  CHECK(t.terminals.live.empty());
  CHECK(t.stat("rq_active") == 0);
}

}  // namespace
}  // namespace sluice::session
