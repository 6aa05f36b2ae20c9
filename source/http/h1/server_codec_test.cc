// Requests as they follow each other: their bodies, what comes early, ends and errors.
#include <string>

#include "source/http/h1/test_requests.h"

namespace sluice::http::h1 {
namespace {

TEST_CASE("pipelined requests are heard in order, each after the answer to the one before") {
  const std::string two = head("A: 1\r\n") + post("Content-Length: 3\r\n", "abc") + head("B: 2\r\n");
  REQUIRE(heard(two) == "GET / @a a=1 (end)\nPOST / @a content-length=3\ndata abc\nend\nGET / @a b=2 (end)\n");
}

TEST_CASE("the next request is kept unread while a response is outstanding") {
  ServerRecorder server;
  server.answers = false;
  server.feed(head("") + head("B: 2\r\n"));
  REQUIRE(server.record.text() == "GET / @a (end)\n");
  REQUIRE(server.codec->inputBlocked());
  REQUIRE(server.codec->bufferedBytes() == head("B: 2\r\n").size());
  REQUIRE_FALSE(server.codec->idle());

  server.reply(200, "x");
  REQUIRE_FALSE(server.codec->inputBlocked());
  server.resume();

  REQUIRE(server.record.text() == "GET / @a (end)\nGET / @a b=2 (end)\n");
  REQUIRE(server.codec->bufferedBytes() == 0);
  server.reply(204, "");
  REQUIRE(server.codec->idle());
  REQUIRE(server.sink.out == "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nxHTTP/1.1 204 No Content\r\n\r\n");
}

TEST_CASE("a content-length together with a transfer-encoding is refused (S1)") {
  for (const char* coding : {"chunked", "gzip", "chunked, identity", "", "xchunked"}) {
    const std::string te = std::string("Transfer-Encoding: ") + coding + "\r\n";
    const std::string one = heard(post("Content-Length: 5\r\n" + te, "0\r\n\r\n"));
    const std::string two = heard(post(te + "Content-Length: 5\r\n", "0\r\n\r\n"));
    REQUIRE((refused(one, 400) || refused(one, 501)));
    REQUIRE(one == two);
  }
}

TEST_CASE("allow_chunked_length drops the length of a chunked request") {
  CodecLimits limits;
  limits.allow_chunked_length = true;
  REQUIRE(heard(post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\n"), limits) ==
          "POST / @a\ndata x\nend\n");
  REQUIRE(refused(heard(post("Content-Length: +5\r\nTransfer-Encoding: chunked\r\n", ""), limits), 400));
}

TEST_CASE("more than one content-length is refused (S2)") {
  for (const char* fields : {"Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n",
                             "Content-Length: 5,5\r\n", "Content-Length: 5, 6\r\n",
                             "Content-Length: 5\r\nContent-Length:\r\n", "Content-Length:\r\nContent-Length: 5\r\n"}) {
    REQUIRE(refused(heard(post(fields, "hello")), 400));
  }
}

TEST_CASE("a content-length that is no plain number below 2^63 is refused (S3)") {
  for (const char* value : {"+5", "-0", "-5", "0x5", "1_0", "5a", "", "5 5", "5;", "9223372036854775808",
                            "18446744073709551620", "18446744073709551616", "99999999999999999999999", "\xb2"}) {
    REQUIRE(refused(heard(post("Content-Length: " + std::string(value) + "\r\n", "hello")), 400));
  }
  REQUIRE(heard(post("Content-Length:  5 \r\n", "hello")) == "POST / @a content-length=5\ndata hello\nend\n");
  REQUIRE(heard(post("Content-Length: 005\r\n", "hello")) == "POST / @a content-length=005\ndata hello\nend\n");
  REQUIRE(heard(post("Content-Length: 9223372036854775807\r\n", "")) ==
          "POST / @a content-length=9223372036854775807\n");
  REQUIRE(heard(post("Content-Length: 0\r\n", "")) == "POST / @a content-length=0 (end)\n");
}

TEST_CASE("a transfer-encoding other than chunked is refused (S4)") {
  for (const char* fields :
       {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: ,chunked\r\n",
        "Transfer-Encoding: \xa0"
        "chunked\r\n",
        "Transfer-Encoding: gzip\r\n", "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: gzip, chunked, chunked\r\n", "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n", "Transfer-Encoding:\r\n", "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: chunked;q=1\r\n", "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"}) {
    INFO(fields);
    REQUIRE(refused(heard(post(fields, "0\r\n\r\n")), 400));
  }
  REQUIRE(refused(heard(post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")), 501));
  REQUIRE(refused(heard(post("Transfer-Encoding: \x0b"
                             "chunked\r\n",
                             "0\r\n\r\n")),
                  400));
  REQUIRE(refused(heard(post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n")), 400));
  REQUIRE(heard(post("tRANSFER-eNCODING:CHUNKED\r\n", "0\r\n\r\n")) == "POST / @a\nend\n");
}

TEST_CASE("a chunked body is joined and its extensions are dropped") {
  REQUIRE(heard(chunked("5\r\nhello\r\n00A;name=\"v\r\n") + "") == "POST / @a\ndata hello\n");
  REQUIRE(heard(chunked("5\r\nhello\r\n00a;a=b;c\r\n0123456789\r\nF;\r\n" + std::string(15, 'f') +
                        "\r\n000\r\n\r\n")) == "POST / @a\ndata hello0123456789" + std::string(15, 'f') + "\nend\n");
}

TEST_CASE("a chunk size that is not one to sixteen hexadecimal digits below 2^63 is refused (S5)") {
  for (const char* line : {"0x1", "+1", "-1", " 1", "1_0", "1 ", "", "\t1", "g", "12345678901234567",
                           "00000000000000001", "ffffffffffffffff", "8000000000000000", ";ext", "1 ;ext", "1\r1"}) {
    const std::string record = heard(chunked(std::string(line) + "\r\nx\r\n0\r\n\r\n"));
    INFO(line);
    REQUIRE(record == "POST / @a\nerror 400 http1.invalid_chunk_size\n");
  }
  REQUIRE(heard(chunked("7fffffffffffffff\r\nx")) == "POST / @a\ndata x\n");
}

TEST_CASE("a chunk extension with control bytes or without bound is refused (S5)") {
  for (const int c : {0x0a, 0x00, 0x0b, 0x7f}) {
    REQUIRE(heard(chunked("1;a" + bytes({c}) + "b\r\nx\r\n0\r\n\r\n")) ==
            "POST / @a\nerror 400 http1.invalid_chunk_extension\n");
  }
  REQUIRE(heard(chunked("1;a\rb\r\nx\r\n0\r\n\r\n")) == "POST / @a\nerror 400 http1.invalid_chunk_size\n");
  REQUIRE(heard(chunked("1;" + std::string(256, 'e') + "\r\nx")) == "POST / @a\ndata x\n");
  REQUIRE(heard(chunked("1;" + std::string(257, 'e') + "\r\nx")) ==
          "POST / @a\nerror 400 http1.chunk_extension_too_long\n");
}

TEST_CASE("a chunk that does not end in exactly CR LF is refused (S6)") {
  for (const char* end : {"\n", "\rX", "XY", "X\r\n", "\n\n", "\r\r\n"}) {
    REQUIRE(heard(chunked("1\r\nx" + std::string(end) + "0\r\n\r\n")) ==
            "POST / @a\ndata x\nerror 400 http1.invalid_chunk_end\n");
  }
  REQUIRE(heard(chunked("1\r\nx\r\n\r\n0\r\n\r\n")) == "POST / @a\ndata x\nerror 400 http1.invalid_chunk_size\n");
  REQUIRE(heard(chunked("1\nx\r\n0\r\n\r\n")) == "POST / @a\nerror 400 http1.invalid_chunk_size\n");
  REQUIRE(heard(chunked("0\r\n\n")) == "POST / @a\nerror 400 http1.invalid_characters\n");
  REQUIRE(heard(chunked("0\r\n\rX\n")) == "POST / @a\nerror 400 http1.invalid_characters\n");
  REQUIRE(heard(chunked("0\r\n")) == "POST / @a\n");
  const SplitResult cut = feedEveryWay<ServerRecorder>(chunked("1\r\nx\r\n0\r\n"), true);
  REQUIRE(cut.same);
  REQUIRE(cut.record == "POST / @a\ndata x\nerror 400 http1.incomplete_message\n");
}

TEST_CASE("trailers pass, but none that frame, route or authenticate (S7)") {
  REQUIRE(heard(chunked(
              "0\r\nX-Sum: 1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: b\r\nAuthorization: x\r\n"
              "Cookie: c\r\nConnection: close\r\nX-Forwarded-For: 1\r\nX-Envoy-Foo: 1\r\nProxy-Authorization: "
              "x\r\nGrpc-Status: 0\r\n\r\n")) == "POST / @a\ntrailers x-sum=1 grpc-status=0\n");
  CodecLimits limits;
  limits.enable_trailers = false;
  REQUIRE(heard(chunked("0\r\nX-Sum: 1\r\n\r\n") + head(""), limits) == "POST / @a\nend\nGET / @a (end)\n");
  REQUIRE(heard(chunked("0\r\nX Sum: 1\r\n\r\n"), limits) == "POST / @a\nerror 400 http1.space_before_colon\n");
}

TEST_CASE("trailers have the limits of headers") {
  CodecLimits limits;
  limits.max_header_count = 2;
  limits.max_header_bytes = 100;
  REQUIRE(heard(chunked("0\r\na: 1\r\nb: 1\r\nc: 1\r\n\r\n"), limits) ==
          "POST / @a\nerror 431 http1.too_many_trailers\n");
  REQUIRE(heard(chunked("0\r\na: " + std::string(200, 'x') + "\r\n\r\n"), limits) ==
          "POST / @a\nerror 431 http1.trailers_too_large\n");
}

TEST_CASE("HTTP/1.0 is served where it is accepted, and closes unless keep-alive was asked") {
  CodecLimits limits;
  limits.accept_http_10 = true;
  ServerRecorder closing(limits);
  closing.feed("GET / HTTP/1.0\r\n\r\n");
  REQUIRE(closing.record.text() == "GET / @ 1.0 (end)\n");
  REQUIRE(closing.sink.out == "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  REQUIRE(closing.codec->shouldClose());

  ServerRecorder keeping(limits);
  keeping.feed("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
  REQUIRE(keeping.sink.out == "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n");
  REQUIRE_FALSE(keeping.codec->shouldClose());

  REQUIRE(refused(heard("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", limits), 400));
  REQUIRE(heard("POST / HTTP/1.0\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\nx", limits) ==
          "POST / @ 1.0 content-length=1\ndata x\nend\n");
}

TEST_CASE("an HTTP/1.0 response without length ends with the connection") {
  CodecLimits limits;
  limits.accept_http_10 = true;
  ServerRecorder server(limits);
  server.answers = false;
  server.feed("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  base::Arena arena;
  ResponseHeaders headers(arena);
  headers.status = 200;
  server.codec->sendHeaders(1, headers, false);
  server.codec->sendData(1, "body", true);
  REQUIRE(server.sink.out == "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nbody");
  REQUIRE(server.codec->shouldClose());
}

TEST_CASE("bytes behind a CONNECT are never read as a request (S14)") {
  ServerRecorder server;
  server.answers = false;
  server.feed("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n" + head(""));
  server.reply(405, "");
  REQUIRE(server.codec->shouldClose());
  server.resume();
  REQUIRE(server.record.text() == "CONNECT  @a:443 (end)\n");
}

TEST_CASE("an expectation is heard once, and any other is refused") {
  REQUIRE(heard(post("Expect: 100-Continue\r\nContent-Length: 1\r\n", "x")) ==
          "POST / @a content-length=1 (continue)\ndata x\nend\n");
  REQUIRE(heard(head("Expect: 100-continue\r\n")) == "GET / @a (end)\n");
  REQUIRE(heard(head("Expect: 200-ok\r\n")) == "error 417 http1.unknown_expectation\n");
}

TEST_CASE("an end between requests is no error, an end inside of one is") {
  ServerRecorder idle;
  idle.feed(head(""));
  idle.feedEnd();
  REQUIRE_FALSE(idle.failed);
  REQUIRE(idle.codec->shouldClose());

  ServerRecorder cut;
  cut.feed("GET / HT");
  cut.feedEnd();
  REQUIRE(cut.record.text() == "error 400 http1.incomplete_message\n");

  ServerRecorder cut_body;
  cut_body.feed(post("Content-Length: 5\r\n", "hell"));
  cut_body.feedEnd();
  REQUIRE(cut_body.failed);
}

TEST_CASE("a client that finished sending still gets its answers, then the connection closes") {
  ServerRecorder server;
  server.answers = false;
  server.feed(head("") + head("B: 2\r\n"));
  server.feedEnd();
  REQUIRE_FALSE(server.codec->shouldClose());
  server.reply(200, "");
  server.resume();
  REQUIRE_FALSE(server.codec->shouldClose());
  server.reply(200, "");
  REQUIRE(server.codec->shouldClose());
  REQUIRE(server.record.text() == "GET / @a (end)\nGET / @a b=2 (end)\n");
  REQUIRE_FALSE(server.failed);
}

TEST_CASE("an error can be answered, and the answer closes") {
  ServerRecorder server;
  server.feed("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
  REQUIRE(server.failed);
  server.reply(400, "no");
  REQUIRE(server.sink.out == "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno");
  REQUIRE(server.codec->shouldClose());
  server.feed(head(""));
  REQUIRE(server.record.text() == "error 400 http1.multiple_host_headers\n");
}

TEST_CASE("an error reply closes, and is not sent into another response or to HTTP/2") {
  ServerRecorder bad;
  bad.feed("GET / HTTP/1.1\r\nHost: a\r\nA: b\n");
  bad.codec->sendErrorReply({431, "x"});
  bad.codec->sendErrorReply({431, "x"});
  REQUIRE(bad.sink.out ==
          "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  REQUIRE(bad.codec->shouldClose());

  ServerRecorder http2;
  http2.feed("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  http2.codec->sendErrorReply({505, "x"});
  REQUIRE(http2.sink.out.empty());
  REQUIRE(http2.codec->shouldClose());

  ServerRecorder answering;
  answering.answers = false;
  answering.feed(post("Transfer-Encoding: chunked\r\n", "1\r\nx\r\n"));
  base::Arena arena;
  ResponseHeaders headers(arena);
  headers.status = 200;
  answering.codec->sendHeaders(1, headers, false);
  const std::string out = answering.sink.out;
  answering.feed("zz");
  REQUIRE(answering.failed);
  answering.codec->sendErrorReply({400, "x"});
  REQUIRE(answering.sink.out == out);
  REQUIRE(answering.codec->shouldClose());
}

// --- sending -------------------------------------------------------------------------------------------------------

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

}  // namespace
}  // namespace sluice::http::h1
