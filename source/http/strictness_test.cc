#include "source/http/strictness.h"

#include <catch2/catch.hpp>

#include "source/http/headers.h"
#include "source/http/rules.h"

namespace sluice::http {
namespace {

TEST_CASE("rules are named in a list, or all of them") {
  StrictRules rules;
  std::string error;

  REQUIRE(parseStrictRules("host_conflict, value_edge_space", rules, error));

  CHECK(rules.has(StrictRule::kHostConflict));
  CHECK(rules.has(StrictRule::kValueEdgeSpace));
  CHECK_FALSE(rules.has(StrictRule::kUnderscoreNames));
  CHECK_FALSE(rules.has(StrictRule::kUnknownExpectation));
  CHECK(textOf(rules) == "host_conflict, value_edge_space");
  CHECK(textOf(StrictRules{}) == "");
  REQUIRE(parseStrictRules("all", rules, error));
  for (size_t i = 0; i < kStrictRules; ++i) CHECK(rules.has(static_cast<StrictRule>(i)));
}

TEST_CASE("a word that is no rule is refused with those that are, and nothing is taken") {
  for (const char* list : {"framing", "host_conflict,framing", "", ",", "ALL"}) {
    StrictRules rules;
    std::string error;

    CHECK_FALSE(parseStrictRules(list, rules, error));

    INFO(list);
    CHECK(rules.empty());
    CHECK(error.find("is no rule that may be reported only; those are connect_port, host_conflict, underscore_names, "
                     "unknown_expectation, value_edge_space, and all of them are 'all'") != std::string::npos);
  }
}

TEST_CASE("the first breach of a rule in a request is its example") {
  base::Arena arena;
  RequestHeaders headers(arena);
  CHECK(headers.let_through == nullptr);

  noteLetThrough(headers, StrictRule::kUnderscoreNames, "a_b");
  noteLetThrough(headers, StrictRule::kUnderscoreNames, "c_d");
  noteLetThrough(headers, StrictRule::kUnknownExpectation, {});

  const auto& examples = headers.let_through->examples;
  CHECK(examples[static_cast<size_t>(StrictRule::kUnderscoreNames)] == "a_b");
  CHECK(examples[static_cast<size_t>(StrictRule::kUnknownExpectation)].data() != nullptr);
  CHECK(examples[static_cast<size_t>(StrictRule::kHostConflict)].data() == nullptr);
}

TEST_CASE(
    "names that frame, route or authenticate are no trailers; those that say who asks are none of a request (S7)") {
  const auto allowed = [](std::string_view name) {
    const Field field{name, "1", nameOf(name)};
    return std::pair(allowedInTrailers(field), allowedInRequestTrailers(field));
  };
  for (const char* name : {"content-length", "transfer-encoding", "host", "authorization", "cookie", "content-type",
                           "x-forwarded-for", "x-forwarded", "x-envoy-internal", "proxy-authorization", "if-match",
                           "x-http-method-override", "x-accel-redirect", "sec-websocket-key", "expires"}) {
    INFO(name);
    CHECK(allowed(name) == std::pair(false, false));
  }
  for (const char* name : {"x-user", "x-auth-request-email", "remote-user", "x-client-cert", "true-client-ip"}) {
    INFO(name);
    CHECK(allowed(name) == std::pair(true, false));
  }
  for (const char* name : {"grpc-status", "grpc-message", "grpc-status-details-bin", "etag", "x-sum", "content-digest",
                           "server-timing", "my-trailer-bin"}) {
    INFO(name);
    CHECK(allowed(name) == std::pair(true, true));
  }
}

}  // namespace
}  // namespace sluice::http
