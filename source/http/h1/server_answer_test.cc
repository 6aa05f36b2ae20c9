// What a server sends.
#include <string>

#include "source/http/h1/test_requests.h"

namespace sluice::http::h1 {
namespace {

struct Answering {
  explicit Answering(std::string_view request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n") : headers(arena) {
    server.answers = false;
    server.feed(request);
    headers.status = 200;
  }
  ServerRecorder server;
  base::Arena arena;
  ResponseHeaders headers;
};

TEST_CASE("a body without length is sent in chunks, trailers after it") {
  Answering a;
  a.headers.add("x-a", "1");
  a.server.codec->sendHeaders(1, a.headers, false);
  a.server.codec->sendData(1, "hello", false);
  a.server.codec->sendData(1, "", false);
  a.server.codec->sendData(1, std::string(26, 'z'), false);
  Trailers trailers(a.arena);
  trailers.add("grpc-status", "0");
  trailers.add("content-length", "7");
  a.server.codec->sendTrailers(1, trailers);
  REQUIRE(a.server.sink.out == "HTTP/1.1 200 OK\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n1a\r\n" +
                                   std::string(26, 'z') + "\r\n0\r\ngrpc-status: 0\r\n\r\n");
  REQUIRE(a.server.codec->idle());
}

TEST_CASE("line ends in a value end no line, however many there are") {
  for (const size_t count : {size_t{1}, size_t{255}, size_t{256}, size_t{512}, size_t{5000}}) {
    Answering a;
    std::string value, clean;
    for (size_t i = 0; i < count; ++i) {  // in the same place of each 16 bytes
      value += "\nset-cookie: 0 ";
      clean += " set-cookie: 0 ";
      value.append(1, 'x');
      clean.append(1, 'x');
    }
    a.headers.add("x-a", value);
    a.server.codec->sendHeaders(1, a.headers, true);
    REQUIRE(a.server.sink.out.find(clean) != std::string::npos);
    REQUIRE(a.server.sink.out.find("\nset-cookie") == std::string::npos);
  }
}

TEST_CASE("the last chunk goes with the last data") {
  Answering a;
  a.server.codec->sendHeaders(1, a.headers, false);
  a.server.codec->sendData(1, "x", true);
  REQUIRE(a.server.sink.out.ends_with("\r\n\r\n1\r\nx\r\n0\r\n\r\n"));
}

TEST_CASE("answers to HEAD, 204 and 304 have no body whatever is sent") {
  for (const int status : {200, 204, 304}) {
    Answering a(status == 200 ? "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" : "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    a.headers.status = static_cast<uint16_t>(status);
    a.headers.add("content-length", "5");
    a.server.codec->sendHeaders(1, a.headers, false);
    a.server.codec->sendData(1, "hello", true);
    REQUIRE(a.server.sink.out.ends_with("\r\n\r\n"));
    REQUIRE((a.server.sink.out.find("content-length: 5") != std::string::npos) == (status != 204));
    REQUIRE(a.server.codec->idle());
  }
}

TEST_CASE("a body shorter than its length closes the connection") {
  Answering a;
  a.headers.add("content-length", "5");
  a.server.codec->sendHeaders(1, a.headers, false);
  a.server.codec->sendData(1, "hell", true);
  REQUIRE(a.server.codec->shouldClose());

  Answering none;
  none.headers.add("content-length", "5");
  none.server.codec->sendHeaders(1, none.headers, true);
  REQUIRE(none.server.codec->shouldClose());
}

TEST_CASE("a body longer than its length is cut and closes the connection") {
  Answering a;
  a.headers.add("content-length", "5");
  a.server.codec->sendHeaders(1, a.headers, false);
  a.server.codec->sendData(1, "hello!", true);
  REQUIRE(a.server.sink.out.ends_with("\r\n\r\nhello"));
  REQUIRE(a.server.codec->shouldClose());
}

TEST_CASE("a response that ends before its request closes the connection and says so where it can") {
  Answering a(post("Content-Length: 5\r\n", "he"));
  a.server.codec->sendHeaders(1, a.headers, true);
  REQUIRE(a.server.sink.out == "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  REQUIRE(a.server.codec->shouldClose());
  a.server.feed("llo");
  REQUIRE(a.server.record.text() == "POST / @a content-length=5\ndata he\n");
}

TEST_CASE("close is said when the client asked for it or the codec drains") {
  Answering asked("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Close\r\n\r\n");
  asked.server.codec->sendHeaders(1, asked.headers, true);
  REQUIRE(asked.server.sink.out.find("\r\nconnection: close\r\n") != std::string::npos);
  REQUIRE(asked.server.codec->shouldClose());

  Answering draining;
  draining.server.codec->drain();
  REQUIRE_FALSE(draining.server.codec->shouldClose());
  draining.server.codec->sendHeaders(1, draining.headers, true);
  REQUIRE(draining.server.sink.out.find("\r\nconnection: close\r\n") != std::string::npos);
  REQUIRE(draining.server.codec->shouldClose());
}

TEST_CASE("informational heads go before the final one only") {
  Answering a;
  ResponseHeaders early(a.arena);
  early.status = 103;
  early.add("link", "x");
  a.server.codec->sendInformational(1, early);
  early.status = 101;
  a.server.codec->sendInformational(1, early);
  a.server.codec->sendHeaders(1, a.headers, true);
  early.status = 103;
  a.server.codec->sendInformational(1, early);
  REQUIRE(a.server.sink.out ==
          "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
}

TEST_CASE("line breaks in values, names and reasons cannot get out") {
  Answering a;
  a.headers.reason = "O\r\nK";
  a.headers.add("x-a", std::string_view("1\r\nset-cookie: x\0y", 18));
  a.headers.add("x\nb", "2");
  a.server.codec->sendHeaders(1, a.headers, true);
  REQUIRE(a.server.sink.out == "HTTP/1.1 200 O  K\r\nx-a: 1  set-cookie: x y\r\nx_b: 2\r\ncontent-length: 0\r\n\r\n");
}

TEST_CASE("a tab in a value is sent as it is") {
  Answering a;
  a.headers.add("x-a", "1\t2");
  a.server.codec->sendHeaders(1, a.headers, true);
  REQUIRE(a.server.sink.out == "HTTP/1.1 200 OK\r\nx-a: 1\t2\r\ncontent-length: 0\r\n\r\n");
}

TEST_CASE("heads of every size are sent whole") {
  for (const size_t size : {100u, 3800u, 3900u, 3950u, 4000u, 4096u, 20000u}) {
    Answering a;
    a.headers.add("x-a", std::string(size, 'v'));
    a.server.codec->sendHeaders(1, a.headers, true);
    REQUIRE(a.server.sink.out == "HTTP/1.1 200 OK\r\nx-a: " + std::string(size, 'v') + "\r\ncontent-length: 0\r\n\r\n");
  }
}

TEST_CASE("fields of the connection in a list are not sent") {
  Answering a;
  for (const char* name : {"connection", "transfer-encoding", "upgrade", "proxy-connection", "te"}) {
    a.headers.add(name, "x");
  }
  a.server.codec->sendHeaders(1, a.headers, true);
  REQUIRE(a.server.sink.out == "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
}

TEST_CASE("a keep-alive field that the configuration adds is sent") {
  Answering a;
  a.headers.add("keep-alive", "timeout=5");
  a.server.codec->sendHeaders(1, a.headers, true);
  REQUIRE(a.server.sink.out == "HTTP/1.1 200 OK\r\nkeep-alive: timeout=5\r\ncontent-length: 0\r\n\r\n");
}

TEST_CASE("after a reset nothing is sent or heard, and the connection closes") {
  Answering a(post("Content-Length: 5\r\n", "he"));
  a.server.codec->reset(1, ResetReason::kLocal);
  a.server.codec->sendHeaders(1, a.headers, true);
  a.server.feed("llo");
  REQUIRE(a.server.sink.out.empty());
  REQUIRE(a.server.codec->shouldClose());
  REQUIRE(a.server.record.text() == "POST / @a content-length=5\ndata he\n");
}

TEST_CASE("sends for a stream that is over are ignored") {
  Answering a;
  a.server.codec->sendHeaders(1, a.headers, true);
  const std::string out = a.server.sink.out;
  a.server.codec->sendData(1, "x", true);
  a.server.codec->sendHeaders(1, a.headers, true);
  a.server.codec->sendHeaders(2, a.headers, true);
  REQUIRE(a.server.sink.out == out);
}

}  // namespace
}  // namespace sluice::http::h1
