// Heads of requests: what is read of them, and what is refused.
#include <string>

#include "source/http/h1/head_parser.h"
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

TEST_CASE("one empty line before a request is skipped, a second is refused") {
  REQUIRE(heard("\r\n" + head("")) == "GET / @a (end)\n");
  REQUIRE(heard(head("") + "\r\n" + head("")) == "GET / @a (end)\nGET / @a (end)\n");
  REQUIRE(refused(heard("\r\n\r\n" + head("")), 400));
  REQUIRE(refused(heard("\n" + head("")), 400));
}

TEST_CASE("a later minor version is understood as HTTP/1.1") {
  for (const char minor : {'2', '9'}) {
    const std::string get = std::string("GET / HTTP/1.") + minor + "\r\nHost: a\r\n\r\n";
    REQUIRE(heard(get) == heard("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  }
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

TEST_CASE("what is reported only gets through in one meaning, what is not stays refused") {
  CodecLimits conflict, expectation;
  conflict.report_only.add(StrictRule::kHostConflict);
  expectation.report_only.add(StrictRule::kUnknownExpectation);

  REQUIRE(heard("GET http://a/x HTTP/1.1\r\nHost: b\r\n\r\n", conflict) == "GET /x @a http (end)\n");
  REQUIRE(heard("GET http://a/x HTTP/1.1\r\nHost: b\r\n\r\n", expectation) == "error 400 http1.conflicting_host\n");
  REQUIRE(heard("GET http://a/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", conflict) ==
          "error 400 http1.multiple_host_headers\n");
  REQUIRE(heard("GET http://a/x HTTP/1.1\r\nHost: u@b\r\n\r\n", conflict) == "error 400 http1.invalid_host\n");
  REQUIRE(heard(head("Expect: x\r\n"), expectation) == "GET / @a (end)\n");
  REQUIRE(heard(head("Expect: x\r\n"), conflict) == "error 417 http1.unknown_expectation\n");
}

TEST_CASE("what a request was let through with is noted, and nothing for the next one") {
  CodecLimits limits;
  limits.report_only.add(StrictRule::kHostConflict);
  base::Arena arena;
  RequestHeaders headers(arena);

  REQUIRE(parseRequestHead("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", limits, headers).fault == Fault::kNone);
  REQUIRE(headers.let_through != nullptr);
  CHECK(headers.let_through->examples[static_cast<size_t>(StrictRule::kHostConflict)] == "b");

  headers.clear();
  REQUIRE(parseRequestHead("GET / HTTP/1.1\r\nHost: b\r\n\r\n", limits, headers).fault == Fault::kNone);
  CHECK(headers.let_through == nullptr);
}

TEST_CASE("the asterisk is for OPTIONS, an authority for CONNECT") {
  REQUIRE(heard("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n") == "OPTIONS * @a (end)\n");
  REQUIRE(heard("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n") == "CONNECT  @a:443 (end)\n");
  REQUIRE(refused(heard("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n"), 400));
  CodecLimits limits;
  limits.report_only.add(StrictRule::kConnectPort);
  for (std::string target : {"a", "a:", "a:0", "[::1]"}) {
    const std::string text = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n\r\n";
    REQUIRE(heard(text) == "error 400 http1.invalid_url\n");
    REQUIRE(heard(text, limits) == "CONNECT  @" + target + " (end)\n");
  }
  REQUIRE(heard("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nContent-Length: 1\r\n\r\n") ==
          "error 400 http1.body_disallowed\n");
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

TEST_CASE("of several faults in a head the same one is told however its bytes came") {
  REQUIRE(heard("GET / HTTP/1.1\r\nHost : a\r\nA: b\n\r\n\r\n") == "error 400 http1.invalid_characters\n");
  REQUIRE(heard("G(T / HTTP/1.1\r\nHost : a\r\nA: b\n\r\n\r\n") == "error 400 http1.invalid_method\n");
  REQUIRE(heard("GET / HTTP/1.1\nHost: a\r\n\r\n") == "error 400 http1.invalid_characters\n");
  REQUIRE(heard("GET /#\nHost: a\r\n\r\n") == "error 400 http1.invalid_characters\n");
}

}  // namespace
}  // namespace sluice::http::h1
