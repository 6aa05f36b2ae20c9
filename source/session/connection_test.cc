// Requests of one connection, and answers that its client reads or does not.
#include <catch2/catch.hpp>

#include "source/session/test_http1.h"

using namespace std::chrono_literals;

namespace sluice::session {
namespace {

TEST_CASE("a connection is kept for the next request") {
  TestSession t;
  answerAll(t);
  auto client = t.connect();
  for (int i = 0; i < 3; ++i) {
    client->send(kGet);
    t.loop.turn();
    REQUIRE(undated(client->take()) == ok("hi"));
  }
  CHECK(t.open() == 1);
  CHECK(t.stat("rq_total") == 3);
  CHECK(t.stat("rq_active") == 0);
  CHECK(t.log.size() == 3);
}

TEST_CASE("pipelined requests are answered in order, each begun when the one before is answered") {
  TestSession t;
  auto client = t.connect();
  client->send(get("/1") + get("/2") + get("/3"));
  t.loop.turn();
  std::string got;
  for (const char* path : {"/1", "/2", "/3"}) {
    REQUIRE(t.terminals.live.size() == 1);
    REQUIRE(t.stream().path == path);
    t.stream().answer(200, path);
    t.loop.turn();
    got += client->take();
  }
  CHECK(undated(got) == ok("/1") + ok("/2") + ok("/3"));
  CHECK(t.open() == 1);
}

TEST_CASE("pipelined requests that are answered at once are all answered, in order") {
  TestSession t;
  t.terminals.on_end = [](TestTerminal& stream) { stream.answer(200, stream.path); };
  auto client = t.connect();
  std::string requests, expected;
  for (int i = 0; i < 500; ++i) {
    requests += get("/" + std::to_string(i));
    expected += ok("/" + std::to_string(i));
  }
  client->send(requests);
  t.loop.turn();
  CHECK(undated(client->take()) == expected);
}

TEST_CASE("a client that pipelines and does not read is not read from without bound") {
  TestSession t;
  answerAll(t, std::string(10'000, 'x'));
  auto client = t.connect();
  std::string many;
  for (int i = 0; i < 100; ++i) many += kGet;
  for (int i = 0; i < 300; ++i) {
    client->send(many);
    t.loop.turn();
  }
  const int made = t.terminals.made;
  CHECK(made < 4000);
  // Once it reads, all that it sent is answered.
  size_t answered = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::string got = client->take();
    for (size_t at = got.find("HTTP/1.1"); at != std::string::npos; at = got.find("HTTP/1.1", at + 1)) ++answered;
    t.loop.turn();
  }
  CHECK(answered >= client->sent / kGet.size() - 1);
}

TEST_CASE("the client is told to go on once the head got through, then its body is read") {
  TestSession t;
  answerAll(t);
  auto client = t.connect();
  client->send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n");
  t.loop.turn();
  REQUIRE(client->take() == "HTTP/1.1 100 Continue\r\n\r\n");
  client->send("abc");
  t.loop.turn();
  CHECK(undated(client->take()) == ok("hi"));
  CHECK(t.open() == 1);
}

TEST_CASE("who is refused at the head is not told to go on") {
  TestSession t;
  t.terminals.on_head = [](TestTerminal& stream) { stream.runner.localReply({413, "no", "too_large"}); };
  auto client = t.connect();
  client->send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n");
  t.loop.turn();
  const std::string got = client->take();
  CHECK(got.starts_with("HTTP/1.1 413 "));
  CHECK(got.find("connection: close\r\n") != std::string::npos);
}

TEST_CASE("an answer before the end of the request reaches a client that goes on sending") {
  const bool local = GENERATE(true, false);
  const size_t body = GENERATE(0, 7);
  TestSession t;
  t.terminals.on_head = [&](TestTerminal& stream) {
    if (local) return stream.runner.localReply({413, std::string(body, 'n'), "too_large"});
    stream.answer(413, std::string(body, 'n'));
  };
  auto client = t.connect();
  client->send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n" + std::string(50'000, 'b'));
  t.loop.turn();
  client->send(std::string(50'000, 'b'));
  t.loop.turn();
  client->send(std::string(50'000, 'b'));
  const std::string got = client->take();
  CHECK(got.starts_with("HTTP/1.1 413 "));
  if (local || body == 0) CHECK(got.find("connection: close\r\n") != std::string::npos);
  CHECK(client->ended);
  CHECK_FALSE(client->broken);
  CHECK(t.terminals.live.empty());
  CHECK(t.open() == 1);  // until the client closes, or some time has gone
  t.loop.pass(t.settings->delayed_close_timeout);
  CHECK(t.open() == 0);
}

TEST_CASE("a connection that lingers ends when the client closes it") {
  TestSession t;
  t.terminals.on_head = [](TestTerminal& stream) { stream.answer(413, ""); };
  auto client = t.connect();
  client->send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nabc");
  t.loop.turn();
  REQUIRE(t.open() == 1);
  client->finish();
  t.loop.turn();
  CHECK(t.open() == 0);
}

TEST_CASE("the end of a client's sending in the middle of its request cancels it") {
  TestSession t;
  auto client = t.connect();
  SECTION("in the head") {
    client->send("GET /a HTT");
  }
  SECTION("in the body") {
    client->send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc");
  }
  SECTION("while it waits for the answer") {
    client->send(kGet);
  }
  t.loop.turn();
  client->finish();
  t.loop.turn();
  CHECK(t.open() == 0);
  CHECK(t.terminals.live.empty());
  CHECK(t.stat("rq_active") == 0);
  CHECK(t.stat("cx_active") == 0);
  if (t.stat("rq_total") == 1) {
    REQUIRE(t.log.size() == 1);
    CHECK(t.log[0] == "/a 0 downstream_remote_disconnect DC");
  }
}

TEST_CASE("a request that was answered when its client's end is seen keeps its answer") {
  TestSession t;
  answerAll(t);
  auto client = t.connect();
  client->send(kGet);
  client->finish();
  t.loop.turn();
  CHECK(undated(client->take()) == ok("hi"));
  CHECK(client->ended);
  CHECK(t.open() == 0);
}

TEST_CASE("what is no HTTP is answered and the connection closed") {
  TestSession t;
  auto client = t.connect();
  SECTION("a bad head") {
    client->send("GET /a HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n");
    t.loop.turn();
    CHECK(t.log.at(0) == "- 400 http1.multiple_host_headers DPE");
  }
  SECTION("a bad head behind a good one") {
    answerAll(t);
    client->send(kGet + "GET /a HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n");
    t.loop.turn();
    CHECK(t.log.size() == 2);
  }
  SECTION("a bad body") {
    client->send("POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n");
    t.loop.turn();
    CHECK(t.log.at(0).starts_with("/a 400 http1."));
  }
  SECTION("a bad head on a used connection") {
    answerAll(t);
    for (int i = 0; i < 5; ++i) {
      client->send(kGet);
      t.loop.turn();
    }
    client->take();
    client->send("GET /a HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n");
    t.loop.turn();
  }
  const std::string got = client->take();
  const size_t at = got.rfind("HTTP/1.1 ");
  CHECK(got.substr(at) == "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  CHECK(client->ended);
  CHECK_FALSE(client->broken);
  CHECK(t.stat("cx_protocol_error") == 1);
  CHECK(t.stat("rq_active") == 0);
  CHECK(t.terminals.live.empty());
}

TEST_CASE("an error in the body of a request that is being answered cuts the answer") {
  TestSession t;
  auto client = t.connect();
  client->send("POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
  t.loop.turn();
  t.stream().head(200, false, 10);
  client->send("zz\r\n");
  t.loop.turn();
  CHECK(undated(client->take()) == "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n");
  CHECK(client->ended);
  CHECK(t.log.at(0).starts_with("/a 200 http1."));
}

TEST_CASE("with no time for lingering an error is still answered") {
  TestSession t;
  t.settings->delayed_close_timeout = 0ms;
  auto client = t.connect();
  client->send("POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n");
  t.loop.turn();
  CHECK(client->take().starts_with("HTTP/1.1 400 "));
  CHECK(t.open() == 0);
}

TEST_CASE("HEAD, 204 and 304 have no body") {
  TestSession t;
  auto client = t.connect();
  client->send("HEAD /a HTTP/1.1\r\nhost: x\r\n\r\n");
  t.loop.turn();
  t.stream().answer(200, "hello");
  t.loop.turn();
  CHECK(undated(client->take()) == "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
  for (const uint16_t status : {204, 304}) {
    client->send(kGet);
    t.loop.turn();
    t.stream().answer(status, "");
    t.loop.turn();
    const std::string got = client->take();
    CHECK(got.starts_with("HTTP/1.1 " + std::to_string(status)));
    CHECK(got.ends_with("\r\n\r\n"));
  }
  CHECK(t.open() == 1);
}

TEST_CASE("bodies go both ways at once, trailers with them") {
  TestSession t;
  t.settings->codec_limits.enable_trailers = true;
  auto client = t.connect();
  client->send("POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
  t.loop.turn();
  t.stream().head(200, false);
  t.stream().runner.responseData("one", false);
  t.loop.turn();
  CHECK(client->take().ends_with("\r\n\r\n3\r\none\r\n"));
  client->send("3\r\ndef\r\n0\r\nx-t: 1\r\n\r\n");
  t.loop.turn();
  CHECK(t.stream().body == "abcdef[x-t]");
  t.stream().stream.responseTrailers().add("y-t", "2");
  t.stream().runner.responseTrailers();
  t.loop.turn();
  CHECK(client->take() == "0\r\ny-t: 2\r\n\r\n");
  CHECK(t.open() == 1);
}

TEST_CASE("a 1xx goes before the answer") {
  TestSession t;
  auto client = t.connect();
  client->send(kGet);
  t.loop.turn();
  t.stream().stream.response().status = 103;
  t.stream().downstream.sendInformational(t.stream().stream.response());
  t.stream().answer(200, "");
  t.loop.turn();
  CHECK(undated(client->take()) == "HTTP/1.1 103 Early Hints\r\n\r\n" + ok(""));
}

TEST_CASE("a request body is not read faster than it goes on") {
  TestSession t;
  auto client = t.connect();
  client->send("POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n");
  t.loop.turn();
  t.stream().unsent = filter::ChainRunner::kWindow;
  client->send(std::string(100'000, 'x'));
  t.loop.turn();
  CHECK(t.stream().body.empty());
  t.stream().unsent = filter::ChainRunner::kWindow - 10;
  t.stream().runner.requestProgress();
  t.stream().unsent = filter::ChainRunner::kWindow - 10;
  // Each round may read ten bytes: what the terminal says is unsent does not grow here, so all of it comes by tens.
  t.loop.turn();
  CHECK(t.stream().body.size() == 100'000);
}

TEST_CASE("an answer in many small pieces goes on when they have left") {
  TestSession t;
  auto client = t.connect();
  client->send(kGet);
  t.loop.turn();
  TestTerminal& stream = t.stream();
  stream.head(200, false, 200'000);
  int left = 200'000 / 100;
  const auto pump = [&left](TestTerminal& s) {
    while (left > 0 && s.runner.responseCredit() > 0) {
      --left;
      s.runner.responseData(std::string(100, 'x'), left == 0);
    }
  };
  stream.on_credit = pump;
  pump(stream);
  size_t got = 0;
  for (int i = 0; i < 100; ++i) {
    t.loop.turn();
    got += client->take().size();
  }
  CHECK(left == 0);
  CHECK(got > 200'000);
}

TEST_CASE("a client that reads slowly gets the whole of a last answer") {
  TestSession t;
  t.terminals.on_end = [](TestTerminal& s) {
    s.head(200, false, 1'000'000);
    s.runner.responseData(std::string(1'000'000, 'x'), true);
  };
  auto client = t.connect();
  client->send(get("/a", "connection: close\r\n"));
  t.loop.turn();
  CHECK(t.terminals.live.empty());
  size_t got = 0;
  for (int i = 0; i < 100 && !client->ended && !client->broken; ++i) {
    t.loop.pass(8s);
    got += client->take().size();
  }
  CHECK(got > 1'000'000);
  CHECK(client->ended);
  CHECK(t.open() == 0);
}

TEST_CASE("a client that reads nothing of its last answer is cut") {
  TestSession t;
  t.terminals.on_end = [](TestTerminal& s) {
    s.head(200, false, 1'000'000);
    s.runner.responseData(std::string(1'000'000, 'x'), true);
  };
  auto client = t.connect();
  client->send(get("/a", "connection: close\r\n"));
  t.loop.turn();
  REQUIRE(t.open() == 1);
  t.loop.pass(30s);
  CHECK(t.open() == 0);
}

TEST_CASE("a client that goes away while its answer is sent takes the stream with it") {
  TestSession t;
  auto client = t.connect();
  client->send(kGet);
  t.loop.turn();
  t.stream().head(200, false, 10'000'000);
  t.stream().runner.responseData(std::string(500'000, 'x'), false);
  t.loop.turn();
  client->close();
  t.loop.turn();
  CHECK(t.terminals.live.empty());
  CHECK(t.open() == 0);
}

TEST_CASE("stream objects are used again, with nothing of the request before") {
  TestSession t;
  auto client = t.connect();
  client->send(get("/a", "x-a: 1\r\n"));
  t.loop.turn();
  const filter::Stream* first = &t.stream().stream;
  t.stream().answer(200, "");
  t.loop.turn();
  client->send(get("/b"));
  t.loop.turn();
  CHECK(&t.stream().stream == first);
  CHECK_FALSE(t.stream().stream.request().get("x-a"));
  CHECK(t.stream().stream.info().response_code == 0);
}

TEST_CASE("two connections do not disturb each other") {
  TestSession t;
  auto one = t.connect();
  auto two = t.connect();
  one->send(get("/1"));
  two->send(get("/2"));
  t.loop.turn();
  REQUIRE(t.terminals.live.size() == 2);
  one->close();
  t.loop.turn();
  REQUIRE(t.terminals.live.size() == 1);
  t.stream().answer(200, t.stream().path);
  t.loop.turn();
  CHECK(undated(two->take()) == ok("/2"));
}

}  // namespace
}  // namespace sluice::session
