// How names of fields are written: from a client to a host and back.
#include <string>

#include "source/http/h1/test_requests.h"

namespace sluice::http::h1 {
namespace {

CodecLimits with(NameCase names) {
  CodecLimits limits;
  limits.name_case = names;
  limits.allow_upgrades = true;
  return limits;
}

// What a host gets of a request that a server codec of `from` has read, by a client codec of `to`.
std::string forwarded(NameCase from, NameCase to, std::string_view request = "", std::string_view added = "") {
  ServerRecorder server(with(from));
  server.answers = false;
  server.feed(request.empty() ? "GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: 1\r\nAccept: X-Y: z\r\n\r\n" : request);
  if (!added.empty()) server.request->add(added, "2");
  ClientRecorder client("", with(to));
  client.codec->sendHeaders(*server.request, true);
  return client.sink.out;
}

TEST_CASE("a request's names are kept by who read them, whatever the writer is set to") {
  const NameCase to = GENERATE(NameCase::kLower, NameCase::kProper, NameCase::kKeep);
  CHECK(forwarded(NameCase::kKeep, to) == "GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: 1\r\nAccept: X-Y: z\r\n\r\n");
}

TEST_CASE("names are in lower case without a word, and in proper case where the writer is told so") {
  CHECK(forwarded(NameCase::kLower, NameCase::kLower) ==
        "GET / HTTP/1.1\r\nhost: a\r\nx-request-id: 1\r\naccept: X-Y: z\r\n\r\n");
  CHECK(forwarded(NameCase::kLower, NameCase::kKeep) == forwarded(NameCase::kLower, NameCase::kLower));
  CHECK(forwarded(NameCase::kLower, NameCase::kProper) ==
        "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: 1\r\nAccept: X-Y: z\r\n\r\n");
}

TEST_CASE("names that join a request are written as its reader was told") {
  const std::string request = "GET / HTTP/1.1\r\nHOST: a\r\n\r\n";
  CHECK(forwarded(NameCase::kKeep, NameCase::kLower, request, "x-new") ==
        "GET / HTTP/1.1\r\nHOST: a\r\nx-new: 2\r\n\r\n");
  CHECK(forwarded(NameCase::kKeepElseProper, NameCase::kLower, request, "x-new") ==
        "GET / HTTP/1.1\r\nHOST: a\r\nX-New: 2\r\n\r\n");
}

TEST_CASE("the framing's names are written in the same way as others") {
  CHECK(forwarded(NameCase::kKeep, NameCase::kLower,
                  "GET / HTTP/1.1\r\nHost: a\r\nUPGRADE: websocket\r\nConnection: Upgrade\r\n\r\n") ==
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUPGRADE: websocket\r\n\r\n");
}

TEST_CASE("a value with a line break cannot make a name, whatever form names have") {
  ServerRecorder server(with(NameCase::kKeep));
  server.answers = false;
  server.feed("GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n\r\n");
  server.request->set("x-a", "1\r\nx-evil: 2");
  ClientRecorder client("");
  client.codec->sendHeaders(*server.request, true);
  CHECK(client.sink.out == "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1  x-evil: 2\r\n\r\n");
}

TEST_CASE("an answer's names and those of its trailers are kept as well") {
  ClientRecorder client("GET", with(NameCase::kKeep));
  client.feed("HTTP/1.1 200 OK\r\nX-Answer: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-End: 2\r\n\r\n");
  ServerRecorder server;
  server.answers = false;
  server.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  server.codec->sendHeaders(1, *client.response, false);
  server.codec->sendTrailers(1, *client.trailers);
  CHECK(server.sink.out == "HTTP/1.1 200 OK\r\nX-Answer: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-End: 2\r\n\r\n");
}

TEST_CASE("a list that is used anew keeps no forms") {
  ClientRecorder client("GET", with(NameCase::kKeep));
  client.feed("HTTP/1.1 200 OK\r\nX-Answer: 1\r\ncontent-length: 0\r\n\r\n");
  REQUIRE(client.response->forms() != nullptr);
  base::Arena arena;
  ResponseHeaders taken(arena);
  taken.take(*client.response);
  CHECK(client.response->forms() == nullptr);
  CHECK(taken.forms() != nullptr);
  taken.clear();
  CHECK(taken.forms() == nullptr);
}

TEST_CASE("a host may be asked by the whole URL") {
  base::Arena arena;
  RequestHeaders request(arena);
  request.method = "GET";
  request.path = "/p?q";
  request.authority = "a:8080";
  request.scheme = "https";
  CodecLimits limits;
  limits.absolute_target = true;
  ClientRecorder client("", limits);
  SECTION("of an origin") {
    client.codec->sendHeaders(request, true);
    CHECK(client.sink.out.starts_with("GET https://a:8080/p?q HTTP/1.1\r\nhost: a:8080\r\n"));
  }
  SECTION("but not by one of CONNECT") {
    request.method = "CONNECT";
    client.codec->sendHeaders(request, true);
    CHECK(client.sink.out.starts_with("CONNECT a:8080 HTTP/1.1\r\n"));
  }
  SECTION("nor without a host, which HTTP/1.0 need not name") {
    request.authority = {};
    client.codec->sendHeaders(request, true);
    CHECK(client.sink.out.starts_with("GET /p?q HTTP/1.1\r\n"));
  }
  SECTION("nor of *") {
    request.method = "OPTIONS";
    request.path = "*";
    client.codec->sendHeaders(request, true);
    CHECK(client.sink.out.starts_with("OPTIONS * HTTP/1.1\r\n"));
  }
}

}  // namespace
}  // namespace sluice::http::h1
