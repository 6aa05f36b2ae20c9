// The interleaving suite on the engine itself and on the two filters that use all of its API.
#include <catch2/catch.hpp>

#include "test/support/filter/interleaving.h"
#include "test/support/filter/test_filters.h"
#include "test/support/filter/test_terminal.h"

namespace sluice::filter {
namespace {

using testing::exchanger;
using testing::rewriter;
using testing::rewritten;
using testing::runInterleavings;
using testing::runOverCodecs;
using testing::Script;
using testing::Suite;

HttpCallResponse peerAnswer(const HttpCallRequest& request) {
  HttpCallResponse answer{.status = 200};
  for (const char c : request.body) answer.body += static_cast<char>(c + 1);
  return answer;
}

std::string shifted(std::string_view body) {
  std::string out;
  for (const char c : body) out += static_cast<char>(c + 1);
  return out;
}

const std::vector<HttpCallResponse> kBadPeer{{.status = 403, .body = "refused"}, {.failure = "reset"}};

TEST_CASE("a chain without filters keeps its promises in every order of events") {
  Suite suite;
  suite.chain = [] { return std::vector<std::shared_ptr<const HttpFilterFactory>>{}; };
  size_t runs = 0;
  REQUIRE(runInterleavings(suite, &runs) == "");
  REQUIRE(runOverCodecs(suite) == "");
  CHECK(runs > 1000);
}

TEST_CASE("a filter that rewrites streamed bodies and trailers passes the suite") {
  for (const bool trailers : {false, true}) {
    Suite suite;
    suite.chain = [] { return std::vector{rewriter()}; };
    suite.request = {{{"content-length", "3"}}, "abc", trailers};
    suite.response = {{}, "xyz", trailers};
    suite.request_due = suite.response_due = rewritten;
    REQUIRE(runInterleavings(suite) == "");
    REQUIRE(runOverCodecs(suite) == "");
  }
}

TEST_CASE("a filter that exchanges every message with a peer passes the suite") {
  for (const bool trailers : {false, true}) {
    Suite suite;
    suite.chain = [] { return std::vector{exchanger()}; };
    suite.request = {{}, "ab", trailers};
    suite.response = {{}, "xy", trailers};
    suite.request_due = suite.response_due = shifted;
    suite.answer = peerAnswer;
    suite.bad_answers = kBadPeer;
    REQUIRE(runInterleavings(suite) == "");
    REQUIRE(runOverCodecs(suite) == "");
  }
}

TEST_CASE("an exchange without bodies passes the suite") {
  Suite suite;
  suite.chain = [] { return std::vector{exchanger(), rewriter()}; };
  suite.request = {{}, "", false};
  suite.response = {{}, "", false};
  suite.request_due = suite.response_due = [](std::string_view) { return std::string(); };
  suite.answer = peerAnswer;
  suite.bad_answers = kBadPeer;
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

TEST_CASE("filters that pause, rewrite and collect pass the suite as one chain") {
  const auto collect = [](auto&, Context&) -> HookResult { return Collect{100}; };
  const auto double_body = [](Body& body, Context&) -> HookResult {
    body.replace(std::string(body.bytes()) + std::string(body.bytes()));
    return Next{};
  };
  Script collector{.name = "collector"};
  collector.request_headers = collect;
  collector.response_headers = collect;
  collector.request_body = double_body;
  collector.response_body = double_body;
  for (const bool collector_first : {false, true}) {
    Suite suite;
    suite.chain = [&] {
      std::vector chain{exchanger(), rewriter()};
      chain.insert(collector_first ? chain.begin() : chain.end(), testing::scripted(collector));
      return chain;
    };
    suite.request = {{}, "ab", true};
    suite.response = {{}, "xy", false};
    const auto doubled = [](const std::string& body) { return body + body; };
    // The peer shifts upper-case letters too, so the order of the filters shows.
    suite.request_due = [&](std::string_view body) {
      // The collector has the body before the trailers add to it only if it stands in front.
      if (collector_first) return rewritten(shifted(doubled(std::string(body))));
      return doubled(rewritten(shifted(body)));
    };
    suite.response_due = [&](std::string_view body) {
      // Backwards: rewriter, exchanger; the collector before or after both.
      if (collector_first) return doubled(shifted(rewritten(body)));
      return shifted(rewritten(doubled(std::string(body))));
    };
    suite.answer = peerAnswer;
    suite.bad_answers = kBadPeer;
    REQUIRE(runInterleavings(suite) == "");
    REQUIRE(runOverCodecs(suite) == "");
  }
}

// Its peer shifts, as the exchanger's does.
TEST_CASE("a terminal filter of its own serves streams behind filters and passes the suite") {
  for (const bool filtered : {false, true}) {
    Suite suite;
    suite.chain = [filtered] {
      std::vector<std::shared_ptr<const HttpFilterFactory>> chain;
      if (filtered) chain = {rewriter(), exchanger()};
      return chain;
    };
    suite.terminal = testing::relay("peer");
    suite.request = {{}, filtered ? "ab" : "abc", filtered};
    suite.response = {{}, "", true};
    suite.response_due = [&suite, filtered](std::string_view) {
      const std::string& body = suite.request.body;
      return filtered ? rewritten(shifted(shifted(shifted(rewritten(body))))) : shifted(body);
    };
    suite.answer = peerAnswer;
    suite.bad_answers = kBadPeer;
    suite.max_runs = 10000;
    size_t runs = 0;
    REQUIRE(runInterleavings(suite, &runs) == "");
    REQUIRE(runOverCodecs(suite) == "");
    CHECK(runs > 50);
  }
}

TEST_CASE("the suite notices a filter that loses bytes, and one that hangs") {
  Suite suite;
  Script bad{.name = "bad"};
  suite.chain = [&] { return std::vector{testing::scripted(bad)}; };
  bad.request_data = [](Chunk& chunk, Context&) -> HookResult {
    chunk.replace("");
    return Next{};
  };
  CHECK(runInterleavings(suite).find("the request is complete but too short") != std::string::npos);

  ResumeToken forgotten;
  bad.request_data = [&](Chunk&, Context& context) -> HookResult {
    forgotten = context.resumeToken();
    return Pause{};
  };
  bad.response_headers = [&](http::ResponseHeaders&, Context& context) -> HookResult {
    forgotten = context.resumeToken();
    return Pause{};
  };
  CHECK_FALSE(runInterleavings(suite).empty());
}

}  // namespace
}  // namespace sluice::filter
