#include <string>

#include "source/http/h1/test_requests.h"

namespace sluice::http::h1 {
namespace {

TEST_CASE("a request has its names lowered, its values trimmed, and its host as authority") {
  REQUIRE(
      heard(
          "GET /a?b=c HTTP/1.1\r\nHost: Example.com:8080\r\nUser-AGENT: \t wrk/4 \t\r\nX-Empty:\r\nX_Y!: 1\r\n\r\n") ==
      "GET /a?b=c @Example.com:8080 user-agent=wrk/4 x-empty= x_y!=1 (end)\n");
}

TEST_CASE("names and values of every length around the vector size are read whole") {
  for (size_t size = 1; size < 70; ++size) {
    const std::string name(size, 'N');
    const std::string value(size, 'V');
    REQUIRE(heard(head(name + ": " + value + "\r\n")) ==
            "GET / @a " + std::string(size, 'n') + "=" + value + " (end)\n");
  }
}

TEST_CASE("a value may hold tabs and bytes above 0x7f (H6)") {
  REQUIRE(heard(head("X: a\tb\xff\x80\r\n")) == "GET / @a x=a\tb\xff\x80 (end)\n");
}

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

TEST_CASE("one empty line before a request is skipped, a second is refused") {
  REQUIRE(heard("\r\n" + head("")) == "GET / @a (end)\n");
  REQUIRE(heard(head("") + "\r\n" + head("")) == "GET / @a (end)\nGET / @a (end)\n");
  REQUIRE(refused(heard("\r\n\r\n" + head("")), 400));
  REQUIRE(refused(heard("\n" + head("")), 400));
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

TEST_CASE("a later minor version is understood as HTTP/1.1") {
  for (const char minor : {'2', '9'}) {
    const std::string get = std::string("GET / HTTP/1.") + minor + "\r\nHost: a\r\n\r\n";
    REQUIRE(heard(get) == heard("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  }
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

TEST_CASE("a control byte anywhere in a request head is refused (S8)") {
  const std::string good = head("Name: value\r\n");
  REQUIRE(heard(good) == "GET / @a name=value (end)\n");
  for (const int c : {0x0d, 0x0a, 0x00, 0x01, 0x0b, 0x0c, 0x1f, 0x7f}) {
    for (size_t at = 0; at <= good.size() - 4; ++at) {
      std::string bad = good;
      bad.insert(at, 1, static_cast<char>(c));
      INFO("byte " << c << " at " << at);
      ServerRecorder server;
      server.feed(bad);
      REQUIRE(refused(server.record.text(), 400));
    }
  }
}

TEST_CASE("a folded line is refused (S8)") {
  for (const char* fields : {"A: b\r\n c\r\n", "A: b\r\n\tc\r\n", " A: b\r\n", "\tA: b\r\n"}) {
    REQUIRE(heard(head(fields)) == "error 400 http1.obsolete_line_folding\n");
  }
  REQUIRE(heard("GET / HTTP/1.1\r\n Host: a\r\n\r\n") == "error 400 http1.obsolete_line_folding\n");
}

TEST_CASE("a name that is no token before a colon is refused (S9)") {
  REQUIRE(heard(head("A : b\r\n")) == "error 400 http1.space_before_colon\n");
  REQUIRE(heard(head("A\t: b\r\n")) == "error 400 http1.space_before_colon\n");
  REQUIRE(heard(head(": b\r\n")) == "error 400 http1.empty_header_name\n");
  REQUIRE(heard(head("no-colon\r\n")) == "error 400 http1.header_without_colon\n");
  for (int c = 0; c < 256; ++c) {
    const bool token =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
        (c != 0 && std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos);
    if (token || c == ':') continue;
    ServerRecorder server;
    server.feed(head("na" + bytes({c}) + "me: b\r\n"));
    INFO("byte " << c);
    REQUIRE(refused(server.record.text(), 400));
  }
}

TEST_CASE("an over-long name forges no field (S10)") {
  for (const size_t size : {256u, 270u, 4096u, 65537u}) {
    const std::string name = std::string(size, 'a') + "Content-Length: 5";
    ServerRecorder server;
    server.feed(head(name + "\r\n"));
    if (size > 60000) {
      REQUIRE(server.record.text() == "error 431 http1.headers_too_large\n");
    } else {
      REQUIRE(server.request->size() == 1);
      REQUIRE_FALSE(server.request->has(Name::kContentLength));
    }
  }
}

TEST_CASE("a request line that is not method, target, version is refused (S11)") {
  for (const char* line : {"GET  / HTTP/1.1",
                           "GET /  HTTP/1.1",
                           "GET / HTTP/1.1 ",
                           " GET / HTTP/1.1",
                           "GET\t/ HTTP/1.1",
                           "GET /\tHTTP/1.1",
                           "GET http://a b/ HTTP/1.1",
                           "G(T / HTTP/1.1",
                           "GET",
                           "GET ",
                           "/ HTTP/1.1",
                           "GET / HTTP/1.1x",
                           "GET / http/1.1",
                           "GET / HTTP/11",
                           "GET / HTTP/1.",
                           "GET / HTTP/x.1",
                           "GET a HTTP/1.1",
                           "GET * HTTP/1.1",
                           "GET ftp://a/ HTTP/1.1",
                           "GET http:///a HTTP/1.1",
                           "GET http://u@a/ HTTP/1.1",
                           "GET http://u:p@a/ HTTP/1.1",
                           "GET //\x80 HTTP/1.1",
                           "OPTIONS ** HTTP/1.1",
                           "GET :a HTTP/1.1",
                           "GET ?a HTTP/1.1"}) {
    INFO(line);
    REQUIRE(refused(heard(std::string(line) + "\r\nHost: a\r\n\r\n"), 400));
  }
  REQUIRE(refused(heard(std::string(65, 'M') + " / HTTP/1.1\r\n\r\n"), 400));
}

TEST_CASE("a fragment in the target is refused (P4)") {
  REQUIRE(heard("GET /a/admin#x HTTP/1.1\r\nHost: a\r\n\r\n") == "error 400 http1.fragment_in_target\n");
  REQUIRE(heard("GET http://a/#x HTTP/1.1\r\nHost: a\r\n\r\n") == "error 400 http1.fragment_in_target\n");
}

TEST_CASE("other versions are refused, each in its own words (P8)") {
  REQUIRE(heard("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == "error 505 http1.http2_preface\n");
  REQUIRE(heard("GET /\r\n\r\n") == "error 400 http1.http09_request\n");
  REQUIRE(heard("GET / HTTP/2.0\r\nHost: a\r\n\r\n") == "error 505 http1.unsupported_version\n");
  REQUIRE(heard("GET / HTTP/3.0\r\nHost: a\r\n\r\n") == "error 505 http1.unsupported_version\n");
  REQUIRE(heard("GET / HTTP/0.9\r\nHost: a\r\n\r\n") == "error 505 http1.unsupported_version\n");
  REQUIRE(heard("GET / HTTP/1.0\r\nHost: a\r\n\r\n") == "error 426 low_version\n");
}

TEST_CASE("a bad request line is refused before the rest of the head is here") {
  for (const char* start : {"\x16\x03\x01", "GET /\r\n", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\n", "G(T"}) {
    ServerRecorder server;
    server.feed(start);
    REQUIRE(server.failed);
  }
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

TEST_CASE("exactly one valid host is needed (S12)") {
  REQUIRE(heard("GET / HTTP/1.1\r\n\r\n") == "error 400 missing_host_header\n");
  REQUIRE(heard(head("Host: a\r\n")) == "error 400 http1.multiple_host_headers\n");
  REQUIRE(heard(head("Host: b\r\n")) == "error 400 http1.multiple_host_headers\n");
  for (const char* host :
       {"",     "a b",    "u@a", "a:b",   "a:65536", "a:123456", ":80",   "a/b",   "a?b", "a#b",  "a,b",  "a\\b",
        "[::1", "[::1]x", "[]",  "[g::]", "a:80:80", "::1",      "a\xe4", "\"a\"", "<a>", "a:-1", "a:+80"}) {
    INFO(host);
    REQUIRE(heard("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n") == "error 400 http1.invalid_host\n");
  }
  for (const char* host :
       {"a", "a.b-c_d~", "127.0.0.1:80", "[::1]", "[fe80::1]:8080", "[::ffff:1.2.3.4]:1", "a:", "A.B"}) {
    REQUIRE(heard("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n") ==
            "GET / @" + std::string(host) + " (end)\n");
  }
}

TEST_CASE("an absolute target decides authority, scheme and path; a host that differs is refused (S12)") {
  REQUIRE(heard("GET http://A:81/x?y HTTP/1.1\r\nHost: a:81\r\n\r\n") == "GET /x?y @A:81 http (end)\n");
  REQUIRE(heard("GET HTTPS://a HTTP/1.1\r\nHost: a\r\n\r\n") == "GET / @a https (end)\n");
  REQUIRE(heard("GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n") == "GET /?q @a http (end)\n");
  REQUIRE(heard("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n") == "OPTIONS * @a http (end)\n");
  REQUIRE(heard("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n") == "error 400 http1.conflicting_host\n");
  REQUIRE(heard("GET http://a/ HTTP/1.1\r\n\r\n") == "error 400 missing_host_header\n");
  CodecLimits limits;
  limits.allow_absolute_url = false;
  REQUIRE(heard("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", limits) == "error 400 http1.invalid_url\n");
}

TEST_CASE("the asterisk is for OPTIONS, an authority for CONNECT") {
  REQUIRE(heard("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n") == "OPTIONS * @a (end)\n");
  REQUIRE(heard("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n") == "CONNECT  @a:443 (end)\n");
  REQUIRE(refused(heard("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n"), 400));
  REQUIRE(heard("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nContent-Length: 1\r\n\r\n") ==
          "error 400 http1.body_disallowed\n");
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

TEST_CASE("an upgrade is not passed on (S13)") {
  REQUIRE(heard(head("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n")) ==
          "GET / @a (end)\n");
}

TEST_CASE("fields of the connection do not get through") {
  REQUIRE(heard(head(
              "Connection: x-a , X-B,,\r\nX-A: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nX-b: 2\r\nx-A: 3\r\nX-C: "
              "4\r\nTE: gzip\r\nConnection: x-d\r\nX-D: 5\r\n")) == "GET / @a x-c=4 (end)\n");
  REQUIRE(heard(head("TE: gzip, trailers\r\nConnection: te\r\n")) == "GET / @a te=trailers (end)\n");
}

TEST_CASE("a connection field cannot take out what proxies and servers rely on (H2)") {
  REQUIRE(
      heard(head("Connection: host, content-length, x-forwarded-for, x-forwarded-user, authorization, cookie, "
                 "x-request-id, x-envoy-foo\r\nX-Forwarded-For: 1\r\nX-Forwarded-User: u\r\nAuthorization: "
                 "b\r\nCookie: c\r\nX-Request-Id: i\r\nX-Envoy-Foo: f\r\n")) ==
      "GET / @a x-forwarded-for=1 x-forwarded-user=u authorization=b cookie=c x-request-id=i x-envoy-foo=f (end)\n");
}

TEST_CASE("a connection field with options without number is refused") {
  std::string options;
  for (int i = 0; i < 100; ++i) options += "a,";
  REQUIRE(refused(heard(head("Connection: " + options + "\r\n")), 431));
}

TEST_CASE("names with underscores pass: what to do with them is not the codec's policy (H3)") {
  REQUIRE(heard(head("X_User: a\r\nX.User: b\r\n")) == "GET / @a x_user=a x.user=b (end)\n");
}

TEST_CASE("heads beyond the limits are refused (D13)") {
  CodecLimits limits;
  limits.max_header_bytes = 100;
  limits.max_header_count = 3;
  const std::string fits = head("A: " + std::string(100 - head("A: \r\n").size(), 'x') + "\r\n");
  REQUIRE(fits.size() == 100);
  REQUIRE(heard(fits, limits).starts_with("GET / @a a=xx"));
  REQUIRE(heard(head("A: " + std::string(101 - head("A: \r\n").size(), 'x') + "\r\n"), limits) ==
          "error 431 http1.headers_too_large\n");
  REQUIRE(heard("GET /" + std::string(200, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n", limits) ==
          "error 414 http1.target_too_long\n");
  REQUIRE(heard(head("A: 1\r\nB: 1\r\n"), limits) == "GET / @a a=1 b=1 (end)\n");
  REQUIRE(heard(head("A: 1\r\nB: 1\r\nC: 1\r\n"), limits) == "error 431 http1.too_many_headers\n");
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

TEST_CASE("of several faults in a head the same one is told however its bytes came") {
  REQUIRE(heard("GET / HTTP/1.1\r\nHost : a\r\nA: b\n\r\n\r\n") == "error 400 http1.invalid_characters\n");
  REQUIRE(heard("G(T / HTTP/1.1\r\nHost : a\r\nA: b\n\r\n\r\n") == "error 400 http1.invalid_method\n");
  REQUIRE(heard("GET / HTTP/1.1\nHost: a\r\n\r\n") == "error 400 http1.invalid_characters\n");
  REQUIRE(heard("GET /#\nHost: a\r\n\r\n") == "error 400 http1.invalid_characters\n");
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
