#include "source/session/strict_report.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "source/session/test_session.h"

namespace sluice::session {
namespace {

using http::StrictRule;
using namespace std::chrono_literals;

// A session that lets all of it through, and what it tells.
struct Reported : TestSession {
  Reported() {
    rules.add(StrictRule::kHostConflict);
    rules.add(StrictRule::kUnderscoreNames);
    rules.add(StrictRule::kUnknownExpectation);
    settings->codec_limits.report_only = rules;
    settings->underscores = Underscores::kDrop;
    settings->strict = std::make_shared<StrictReport>(
        scope, "http.web.", rules,
        std::make_shared<StrictLog>([this](const std::string& line) { lines.push_back(line); }));
    terminals.on_head = [](TestTerminal& terminal) { terminal.answer(200, "ok"); };
  }
  int64_t count(const std::string& rule) { return stat("http.web.strict." + rule); }

  http::StrictRules rules;
  observability::Scope scope = registry.root();
  std::vector<std::string> lines;
};

TEST_CASE("what is let through is counted by rule, each request once, and told once a second") {
  Reported s;
  const auto client = s.connect();
  const std::string request =
      "GET http://b.example/p?secret HTTP/1.1\r\nhost: a.example\r\na_b: 1\r\nc_d: 1\r\nexpect: x\r\n\r\n";

  for (int i = 0; i < 3; ++i) {
    client->send(request);
    s.loop.turn();
  }

  CHECK(s.count("host_conflict") == 3);
  CHECK(s.count("underscore_names") == 3);
  CHECK(s.count("unknown_expectation") == 3);
  REQUIRE(s.lines.size() == 3);
  CHECK(
      s.lines[0].starts_with("http.web.strict.host_conflict: let through: 'a.example' in GET /p for b.example, from "));
  CHECK(s.lines[1].starts_with("http.web.strict.underscore_names: let through: 'a_b' in GET /p"));
  CHECK(s.lines[2].starts_with("http.web.strict.unknown_expectation: let through: 'x' in GET /p"));
  s.loop.pass(999ms);
  client->send(request);
  s.loop.turn();
  CHECK(s.lines.size() == 3);
  s.loop.pass(1ms);
  client->send(request);
  s.loop.turn();
  CHECK(s.lines.size() == 6);
}

TEST_CASE("a request that keeps the rules is not counted") {
  Reported s;
  const auto client = s.connect();

  client->send("GET http://b.example/p HTTP/1.1\r\nhost: b.example\r\na-b: 1\r\nexpect: 100-continue\r\n\r\n");
  s.loop.turn();

  CHECK(s.terminals.made == 1);
  CHECK(s.count("host_conflict") + s.count("underscore_names") + s.count("unknown_expectation") == 0);
  CHECK(s.lines.empty());
}

TEST_CASE("what frames a message is never let through") {
  Reported s;
  const auto client = s.connect();

  client->send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
  s.loop.turn();

  CHECK(s.terminals.made == 0);
  CHECK(client->take().starts_with("HTTP/1.1 400"));
}

}  // namespace
}  // namespace sluice::session
