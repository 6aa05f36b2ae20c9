#include <catch2/catch.hpp>

#include "source/http/h2/test_peer.h"

namespace sluice::http::h2 {
namespace {

TEST_CASE("a client sends the preface at once, then requests") {
  TestClient client;

  REQUIRE(client.sink.out.starts_with(magic()));
  REQUIRE(client.frames() == "SETTINGS 0 4=65536 6=61440 2=0\nWINDOW_UPDATE 0 983041\n");
  REQUIRE(client.send() == 1);
  REQUIRE(client.send("POST", false) == 3);
  client.codec->sendData(3, "body", true);
  REQUIRE(client.frames() ==
          "HEADERS 1 ES :method=GET :scheme=http :path=/ :authority=a\n"
          "HEADERS 3 :method=POST :scheme=http :path=/ :authority=a\n"
          "DATA 3 ES body\n");
}

TEST_CASE("a response with body, informational heads and trailers is heard") {
  TestClient client;
  client.settle();
  client.send();

  client.feed(client.response(1, {{":status", "103"}, {"link", "x"}}) +
              client.response(1, {{":status", "200"}, {"content-length", "3"}}) + data(1, "abc") +
              client.response(1, {{"grpc-status", "0"}}, true));

  REQUIRE(client.events() ==
          "1 informational 103 link=x\n1 response 200 content-length=3\n1 data abc\n1 trailers grpc-status=0\n");
  REQUIRE(client.codec->freeStreams() > 100);
}

TEST_CASE("a request sent from inside an event carries its body") {
  TestClient client;
  client.settle();
  client.send();
  client.on_reset = [&client](StreamId) { client.codec->sendData(client.send("POST", false), "again", true); };
  client.frames();

  client.feed(rst(1, kRefusedStream));

  REQUIRE(client.events() == "1 reset refused\n3 progress\n");
  REQUIRE(client.frames() == "HEADERS 3 :method=POST :scheme=http :path=/ :authority=a\nDATA 3 ES again\n");
}

TEST_CASE("fields of an HTTP/1 connection are left out, te is trailers only, host is the authority") {
  TestClient client;
  client.settle();

  client.send("GET", true,
              {{"connection", "x"}, {"te", "gzip, trailers"}, {"host", "other"}, {"upgrade", "h2c"}, {"a", "b\nc"}});

  REQUIRE(client.frames() == "HEADERS 1 ES :method=GET :scheme=http :path=/ :authority=a a=b c te=trailers\n");
}

TEST_CASE("streams are free up to the peer's limit, and 100 before it is known") {
  TestClient client;
  REQUIRE(client.codec->freeStreams() == 100);

  client.feed(settings(setting(3, 2)));
  REQUIRE(client.events() == "0 capacity\n");
  REQUIRE(client.codec->freeStreams() == 2);
  REQUIRE(client.send() == 1);
  REQUIRE(client.send() == 3);
  REQUIRE(client.codec->freeStreams() == 0);
  REQUIRE(client.send() == 0);
  client.feed(client.response(1, {{":status", "204"}}, true));

  REQUIRE(client.codec->freeStreams() == 1);
}

TEST_CASE("streams above the last one of a GOAWAY were refused, those below go on") {
  TestClient client;
  client.settle();
  client.send();
  client.send();

  REQUIRE(client.feed(goaway(1, kNoError)));

  REQUIRE(client.events() == "0 capacity\n3 reset unprocessed\n");
  REQUIRE_FALSE(client.codec->reusable());
  REQUIRE(client.codec->freeStreams() == 0);
  REQUIRE(client.feed(client.response(1, {{":status", "204"}}, true)));
  REQUIRE(client.events() == "1 response 204\n1 end\n");
}

TEST_CASE("a peer's reset is told with its meaning") {
  TestClient client;
  client.settle();
  client.send();
  client.send();

  client.feed(rst(1, kRefusedStream) + rst(3, kCancel));

  REQUIRE(client.events() == "1 reset refused\n3 reset remote\n");
}

TEST_CASE("a reset without error behind a whole response ends the request quietly") {
  TestClient client;
  client.settle();
  client.send("POST", false);

  client.feed(client.response(1, {{":status", "413"}}, true) + rst(1, kNoError));
  client.frames();
  client.codec->sendData(1, "more", true);

  REQUIRE(client.events() == "1 response 413\n1 end\n");
  REQUIRE(client.frames().empty());
  REQUIRE(client.codec->reusable());
}

TEST_CASE("an upgrade is an extended CONNECT, and 200 accepts it (RFC 8441)") {
  TestClient client;
  REQUIRE(client.codec->upgrades() == ClientCodec::Upgrades::kUnknown);
  client.settle(setting(8, 1));
  REQUIRE(client.codec->upgrades() == ClientCodec::Upgrades::kTaken);

  client.send("GET", false, {}, "websocket");
  client.codec->sendData(1, "frame", false);
  REQUIRE(client.frames() ==
          "HEADERS 1 :method=CONNECT :protocol=websocket :scheme=http :path=/ :authority=a\nDATA 1 frame\n");
  client.feed(client.response(1, {{":status", "200"}, {"content-length", "3"}}) + data(1, "any length"));

  REQUIRE(client.events() == "1 response 101\n1 data any length\n");
}

TEST_CASE("a tunnel goes on when the server has ended its side") {
  TestClient client;
  client.settle(setting(8, 1));
  client.send("GET", false, {}, "websocket");
  client.feed(client.response(1, {{":status", "200"}}) + data(1, "bye", true));
  client.frames();

  client.codec->sendData(1, "more", false);
  REQUIRE(client.frames() == "DATA 1 more\n");
  client.feed(rst(1, kCancel));

  REQUIRE(client.events() == "1 response 101\n1 data bye\n1 end\n1 reset remote\n");
}

TEST_CASE("trailers in a tunnel break it") {
  TestClient client;
  client.settle(setting(8, 1));
  client.send("GET", false, {}, "websocket");
  client.feed(client.response(1, {{":status", "200"}}) + client.response(1, {{"a", "b"}}, true));

  REQUIRE(client.events() == "1 response 101\n1 reset protocol_error\n");
}

TEST_CASE("an upgrade that the peer does not take starts no stream") {
  TestClient client;
  client.settle();

  REQUIRE(client.send("GET", false, {}, "websocket") == 0);
  REQUIRE(client.send() == 1);
}

TEST_CASE("a refused upgrade is a response") {
  TestClient client;
  client.settle(setting(8, 1));
  client.send("GET", false, {}, "websocket");

  client.feed(client.response(1, {{":status", "403"}, {"content-length", "2"}}) + data(1, "no", true));

  REQUIRE(client.events() == "1 response 403 content-length=2\n1 data no\n1 end\n");
}

TEST_CASE("CONNECT has an authority only") {
  TestClient client;
  client.settle();

  client.send("CONNECT", false);
  client.feed(client.response(1, {{":status", "200"}}) + data(1, "x"));

  REQUIRE(client.frames() == "HEADERS 1 :method=CONNECT :authority=a\n");
  REQUIRE(client.events() == "1 response 200\n1 data x\n");
}

TEST_CASE("a request's body waits for the windows, and its trailers behind it") {
  TestClient client;
  client.settle(setting(4, 4));
  base::Arena arena;
  Trailers trailers(arena);
  trailers.add("x-sum", "1");
  client.send("POST", false);
  client.codec->sendData(1, "0123456", false);
  client.codec->sendTrailers(1, trailers);
  client.frames();
  REQUIRE(client.codec->unsentBytes(1) == 3);

  client.feed(windowUpdate(1, 100));

  REQUIRE(client.frames() == "DATA 1 456\nHEADERS 1 ES x-sum=1\n");
  REQUIRE(client.events() == "1 progress\n");
}

TEST_CASE("requests share the connection's window by turns") {
  TestClient client;
  client.settle(setting(4, 1 << 20));
  client.send("POST", false);
  client.send("POST", false);
  client.codec->sendData(1, std::string(200000, 'x'), false);  // takes the connection's 65535 bytes
  client.codec->sendData(3, "small", true);
  client.frames();

  client.feed(windowUpdate(0, 40000));

  REQUIRE(client.frames().find("DATA 3 ES small") != std::string::npos);
}

TEST_CASE("a response to HEAD ends with its head, whatever length it tells") {
  TestClient client;
  client.settle();
  client.send("HEAD");

  client.feed(client.response(1, {{":status", "200"}, {"content-length", "9"}}, true));

  REQUIRE(client.events() == "1 response 200 content-length=9\n1 end\n");
}

TEST_CASE("a reset by the owner cancels, and ends the events") {
  TestClient client;
  client.settle();
  client.send();
  client.frames();

  client.codec->reset(1, ResetReason::kLocal);
  client.feed(client.response(1, {{":status", "200"}}) + data(1, "late", true));

  REQUIRE(client.frames() == "RST_STREAM 1 8\n");
  REQUIRE(client.events().empty());
}

TEST_CASE("a request that is given up inside the event that sent it leaves nothing behind") {
  TestClient client;
  client.settle();
  client.send();
  client.on_reset = [&client](StreamId) { client.codec->reset(client.send("POST", false), ResetReason::kLocal); };
  client.frames();

  client.feed(rst(1, kRefusedStream));
  client.on_reset = nullptr;

  REQUIRE(client.events() == "1 reset refused\n");
  const uint32_t free = client.codec->freeStreams();
  REQUIRE(client.send() != 0);
  REQUIRE(client.codec->freeStreams() == free - 1);
}

TEST_CASE("a client's drain says GOAWAY and starts no more") {
  TestClient client;
  client.settle();
  client.send();
  client.frames();

  client.codec->drain();

  REQUIRE(client.frames() == "GOAWAY 0 0 0\n");
  REQUIRE_FALSE(client.codec->reusable());
  REQUIRE(client.send() == 0);
  REQUIRE(client.feed(client.response(1, {{":status", "204"}}, true)));
  REQUIRE(client.events() == "1 response 204\n1 end\n");
}

TEST_CASE("the end of a connection with a response outstanding is an error") {
  TestClient client;
  client.settle();
  client.send();
  REQUIRE(client.codec->receiveEnd()->status == 502);

  TestClient idle;
  idle.settle();
  REQUIRE_FALSE(idle.codec->receiveEnd());
  REQUIRE_FALSE(idle.codec->reusable());
}

TEST_CASE("PING is answered after a host's GOAWAY while a stream is open") {
  TestClient client;
  client.settle();
  client.send();
  client.frames();

  REQUIRE(client.feed(goaway(1, kNoError)));
  REQUIRE(client.feed(ping()));

  REQUIRE(client.frames() == "PING 0 ACK\n");
  REQUIRE_FALSE(client.codec->reusable());
}

TEST_CASE("RST_STREAM with NO_ERROR behind a whole response leaves it whole") {
  TestClient client;
  client.settle();
  client.send("POST", false);

  REQUIRE(client.feed(client.response(1, {{":status", "413"}}) + data(1, "no", true) + rst(1, kNoError)));

  REQUIRE(client.events() == "1 response 413\n1 data no\n1 end\n");
}

TEST_CASE("what the host says about a stream that it ends is told") {
  TestClient client;
  client.settle();
  client.send("CONNECT", false);

  SECTION("it lost the connection that CONNECT was for") {
    client.feed(rst(1, kConnectError));
    REQUIRE(client.events() == "1 reset connect_error\n");
  }
  SECTION("it refused it") {
    client.feed(rst(1, kRefusedStream));
    REQUIRE(client.events() == "1 reset refused\n");
  }
  SECTION("anything else") {
    client.feed(rst(1, kProtocol));
    REQUIRE(client.events() == "1 reset remote\n");
  }
}

}  // namespace
}  // namespace sluice::http::h2
