#include "source/session/last_hop.h"

#include <catch2/catch.hpp>

#include "source/session/test_session.h"

namespace sluice::session {
namespace {

// The status of the answer, or what Max-Forwards is then.
std::string asked(std::string_view method, std::string_view path, std::optional<std::string_view> max_forwards) {
  base::Arena arena;
  http::RequestHeaders headers(arena);
  headers.method = method;
  headers.path = path;
  if (max_forwards) headers.add("max-forwards", *max_forwards);
  const auto answer = answerAsLast(headers);
  if (answer) return std::to_string(answer->status);
  return "on:" + std::string(headers.get("max-forwards").value_or("-"));
}

TEST_CASE("OPTIONS and TRACE end where Max-Forwards is 0, and count it down else") {
  CHECK(asked("OPTIONS", "/a", "0") == "200");
  CHECK(asked("OPTIONS", "/a", "00") == "200");
  CHECK(asked("TRACE", "/a", "0") == "405");
  CHECK(asked("OPTIONS", "/a", "1") == "on:0");
  CHECK(asked("TRACE", "/a", "10") == "on:9");
  CHECK(asked("TRACE", "/a", "9223372036854775807") == "on:1000000");
  CHECK(asked("TRACE", "/a", std::nullopt) == "on:-");
  CHECK(asked("OPTIONS", "/a", "-1") == "on:-1");
  CHECK(asked("OPTIONS", "/a", "x") == "on:x");
}

TEST_CASE("Max-Forwards means nothing to other methods") {
  CHECK(asked("GET", "/a", "0") == "on:0");
  CHECK(asked("POST", "/a", "5") == "on:5");
}

TEST_CASE("OPTIONS of the server is answered") {
  CHECK(asked("OPTIONS", "*", std::nullopt) == "200");
  CHECK(asked("OPTIONS", "*", "5") == "200");
}

TEST_CASE("what is answered as the last hop reaches no upstream, and the connection goes on") {
  TestSession t;
  auto client = t.connect();
  client->send("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\nTRACE / HTTP/1.1\r\nhost: a\r\nmax-forwards: 0\r\n\r\n");
  t.loop.turn();
  const std::string got = client->take();
  INFO(got);
  CHECK(got.starts_with("HTTP/1.1 200 OK\r\nallow: GET, "));
  CHECK(got.find("HTTP/1.1 405 Method Not Allowed\r\nallow: GET, ") != std::string::npos);
  CHECK(t.terminals.live.empty());
  CHECK(t.open() == 1);
}

}  // namespace
}  // namespace sluice::session
