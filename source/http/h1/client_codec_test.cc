#include <string>

#include "source/http/h1/test_heard.h"

namespace sluice::http::h1 {
namespace {

std::string heard(std::string_view bytes, bool end = false, std::string_view method = "GET",
                  const CodecLimits& limits = {}) {
  return heardBy<ClientRecorder>(bytes, end, method, limits);
}

bool refused(const std::string& record) {
  return record.starts_with("error 502 ");
}

TEST_CASE("a response with a length is heard and the connection can be used again") {
  ClientRecorder client;
  REQUIRE(client.sink.out == "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  REQUIRE(client.codec->freeStreams() == 0);
  client.feed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\n\r\nhello");
  REQUIRE(client.record.text() == "response 200 'OK' content-length=5 x-a=1\ndata hello\nend\n");
  REQUIRE(client.codec->freeStreams() == 1);
  client.send("GET");
  REQUIRE(client.last_stream == 2);
  client.feed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  REQUIRE(client.codec->reusable());
}

TEST_CASE("responses are heard alike however their bytes come") {
  REQUIRE(
      heard(
          "HTTP/1.1 404 Not here\r\nServer: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n") ==
      "response 404 'Not here' server=x\ndata abc\ntrailers x-t=1\n");
  REQUIRE(heard("HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nab") == "response 200 content-length=2\ndata ab\nend\n");
  REQUIRE(heard("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n") == "response 200 content-length=0 (end)\n");
}

TEST_CASE("a response without framing ends with the connection") {
  ClientRecorder client;
  client.feed("HTTP/1.1 200 OK\r\n\r\nab");
  client.feed("cd");
  REQUIRE_FALSE(client.codec->reusable());
  client.feedEnd();
  REQUIRE(client.record.text() == "response 200 'OK'\ndata abcd\nend\n");
  REQUIRE_FALSE(client.failed);
}

TEST_CASE("a framed response that the connection cuts short is an error") {
  REQUIRE(heard("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", true) ==
          "response 200 'OK' content-length=5\ndata hell\nerror 502 http1.incomplete_message\n");
  REQUIRE(heard("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", true) ==
          "response 200 'OK'\ndata x\nerror 502 http1.incomplete_message\n");
  REQUIRE(refused(heard("HTTP/1.1 200", true)));
  REQUIRE(refused(heard("", true)));
}

TEST_CASE("answers to HEAD, 204 and 304 have no body, and bytes after them poison the connection (S16)") {
  const std::string body = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
  REQUIRE(heard(body, false, "HEAD") ==
          "response 200 'OK' content-length=5 (end)\nerror 502 http1.unsolicited_response\n");
  REQUIRE(heard("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello") ==
          "response 204 'No Content' (end)\nerror 502 http1.unsolicited_response\n");
  REQUIRE(heard("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello") ==
          "response 304 'Not Modified' content-length=5 (end)\nerror 502 http1.unsolicited_response\n");
  ClientRecorder clean("HEAD");
  clean.feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  REQUIRE(clean.ended);
  REQUIRE(clean.codec->reusable());
}

TEST_CASE("bytes behind a response or on an idle connection are an error (S16)") {
  for (const char* extra : {"x", "\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}) {
    ClientRecorder client;
    client.feed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab" + std::string(extra));
    REQUIRE(client.record.text() ==
            "response 200 'OK' content-length=2\ndata ab\nend\nerror 502 http1.unsolicited_response\n");
    REQUIRE_FALSE(client.codec->reusable());

    ClientRecorder idle("");
    idle.feed(extra);
    REQUIRE(idle.failed);
    REQUIRE_FALSE(idle.codec->reusable());
  }
}

TEST_CASE("the connection is known to be poisoned when the end of the response is heard") {
  struct Eager final : ClientEvents {
    Eager() : codec(makeClientCodec(*this, sink, {})), response(arena) {
      RequestHeaders request(arena);
      request.method = "GET";
      codec->sendHeaders(request, true);
    }
    ResponseHeaders& beginResponse(StreamId) override { return response; }
    void onInformational(StreamId) override {}
    void onResponseHeaders(StreamId, bool) override {}
    void onResponseData(StreamId, std::string_view, bool end) override { free_at_end = end ? codec->freeStreams() : 9; }
    Trailers& beginResponseTrailers(StreamId) override { return response; }
    void onResponseTrailers(StreamId) override {}
    void onResponseReset(StreamId, ResetReason) override {}
    StringSink sink;
    base::Arena arena;
    std::unique_ptr<ClientCodec> codec;
    ResponseHeaders response;
    uint32_t free_at_end = 9;
  };
  Eager clean;
  REQUIRE_FALSE(clean.codec->receive("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"));
  REQUIRE(clean.free_at_end == 1);
  Eager poisoned;
  REQUIRE(poisoned.codec->receive("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK"));
  REQUIRE(poisoned.free_at_end == 0);
}

TEST_CASE("informational responses come before the final one, bounded (S15)") {
  const std::string hint = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
  REQUIRE(heard("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + hint +
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") ==
          "informational 100 'Continue'\ninformational 100 'Continue'\ninformational 103 'Early Hints' link=x\n"
          "response 200 'OK' content-length=0 (end)\n");
  ClientRecorder storm;
  for (int i = 0; i < 10000 && !storm.failed; ++i) storm.feed(hint);
  REQUIRE(storm.failed);
  REQUIRE(storm.arenas.size() < 50);
}

TEST_CASE("a switch of protocols that nobody asked for is an error (S13)") {
  REQUIRE(
      heard("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nHTTP/1.1 200 OK\r\n\r\n") ==
      "error 502 http1.unasked_switching_protocols\n");
}

TEST_CASE("framing that can be read in two ways is refused") {
  for (const char* fields :
       {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: +5\r\n", "Content-Length: \r\n", "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "A : b\r\n", " A: b\r\n", ": b\r\n", "ab\r\n",
        "A: b\rc\r\n", "A: b\n"}) {
    INFO(fields);
    REQUIRE(refused(heard("HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\nhello")));
  }
  REQUIRE(refused(heard("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")));
  for (const char* line : {"HTTP/1.1 99 X", "HTTP/1.1 099 X", "HTTP/1.1 20 X", "HTTP/1.1 2000 X", "HTTP/1.1  200 X",
                           "http/1.1 200 OK", "HTTP/2.0 200 OK", "HTTP/1.1 200\tOK", "HTTP/1.1 +20 X", "", "x"}) {
    INFO(line);
    REQUIRE(refused(heard(std::string(line) + "\r\n\r\n")));
  }
}

TEST_CASE("a connection that the server closes or that is HTTP/1.0 is not used again") {
  ClientRecorder closing;
  closing.feed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  REQUIRE(closing.record.text() == "response 200 'OK' content-length=0 (end)\n");
  REQUIRE_FALSE(closing.codec->reusable());

  ClientRecorder old;
  old.feed("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n");
  REQUIRE_FALSE(old.codec->reusable());

  ClientRecorder kept;
  kept.feed("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
  REQUIRE(kept.codec->reusable());
}

TEST_CASE("a connection that ends while idle is no error and not used again") {
  ClientRecorder client("");
  REQUIRE(client.codec->freeStreams() == 1);
  client.feedEnd();
  REQUIRE_FALSE(client.failed);
  REQUIRE(client.codec->freeStreams() == 0);
}

TEST_CASE("a reply before the request is whole spoils the connection (S16)") {
  ClientRecorder client("");
  client.send("POST", false);
  client.codec->sendData(1, "abc", false);
  client.feed("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
  REQUIRE(client.ended);
  REQUIRE_FALSE(client.codec->reusable());
  const std::string out = client.sink.out;
  client.codec->sendData(1, "more", true);
  REQUIRE(client.sink.out == out);
}

TEST_CASE("a reply that begins early but ends after the request leaves the connection usable") {
  ClientRecorder client("");
  client.send("POST", false);
  client.feed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na");
  client.codec->sendData(1, "abc", true);
  client.feed("b");
  REQUIRE(client.ended);
  REQUIRE(client.codec->freeStreams() == 1);
}

TEST_CASE("a request body is framed by its length or in chunks") {
  base::Arena arena;
  RequestHeaders request(arena);
  request.method = "POST";
  request.path = "/a?b";
  request.authority = "h:1";
  request.add("x-a", "1");

  ClientRecorder chunks("");
  chunks.codec->sendHeaders(request, false);
  chunks.codec->sendData(1, "abc", false);
  chunks.codec->sendData(1, "", true);
  REQUIRE(chunks.sink.out ==
          "POST /a?b HTTP/1.1\r\nhost: h:1\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");

  ClientRecorder empty("");
  empty.codec->sendHeaders(request, true);
  REQUIRE(empty.sink.out == "POST /a?b HTTP/1.1\r\nhost: h:1\r\nx-a: 1\r\ncontent-length: 0\r\n\r\n");

  request.add("content-length", "3");
  ClientRecorder length("");
  length.codec->sendHeaders(request, false);
  length.codec->sendData(1, "abcd", true);
  REQUIRE(length.sink.out == "POST /a?b HTTP/1.1\r\nhost: h:1\r\nx-a: 1\r\ncontent-length: 3\r\n\r\nabc");
  REQUIRE_FALSE(length.codec->reusable());

  ClientRecorder short_body("");
  short_body.codec->sendHeaders(request, false);
  short_body.codec->sendData(1, "a", true);
  REQUIRE_FALSE(short_body.codec->reusable());
}

TEST_CASE("request trailers are sent after chunks") {
  base::Arena arena;
  RequestHeaders request(arena);
  request.method = "POST";
  request.path = "/";
  request.authority = "a";
  request.add("te", "trailers");
  Trailers trailers(arena);
  trailers.add("x-t", "1");
  trailers.add("host", "b");
  ClientRecorder client("");
  client.codec->sendHeaders(request, false);
  client.codec->sendTrailers(1, trailers);
  REQUIRE(client.sink.out ==
          "POST / HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: te\r\ntransfer-encoding: chunked\r\n\r\n"
          "0\r\nx-t: 1\r\n\r\n");
}

TEST_CASE("a target that would break the request line is escaped (S11)") {
  base::Arena arena;
  RequestHeaders request(arena);
  request.method = "GET";
  request.path = "/a b\r\nx#\xff";
  request.authority = "a\r\nb";
  ClientRecorder client("");
  client.codec->sendHeaders(request, true);
  REQUIRE(client.sink.out == "GET /a%20b%0D%0Ax%23%FF HTTP/1.1\r\nhost: a  b\r\n\r\n");
}

TEST_CASE("after a reset nothing more is heard") {
  ClientRecorder client;
  client.codec->reset(1, ResetReason::kLocal);
  REQUIRE_FALSE(client.codec->reusable());
  client.feed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  REQUIRE(client.record.text().empty());
}

TEST_CASE("response heads beyond the limits are refused") {
  CodecLimits limits;
  limits.max_header_bytes = 80;
  limits.max_header_count = 2;
  REQUIRE(heard("HTTP/1.1 200 OK\r\nA: " + std::string(100, 'x') + "\r\n\r\n", false, "GET", limits) ==
          "error 502 http1.headers_too_large\n");
  REQUIRE(heard("HTTP/1.1 200 OK\r\nA: 1\r\nB: 1\r\nC: 1\r\n\r\n", false, "GET", limits) ==
          "error 502 http1.too_many_headers\n");
}

}  // namespace
}  // namespace sluice::http::h1
