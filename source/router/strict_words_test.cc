#include "source/router/strict_words.h"

#include <catch2/catch.hpp>
#include <string>

namespace sluice::router {
namespace {

const StrictWords& all() {
  static const StrictWords words({"x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms",
                                  "x-envoy-max-retries", "x-envoy-retry-grpc-on", "x-envoy-retry-on"});
  return words;
}

TEST_CASE("words of callers that are well-formed are let through") {
  const auto [name, value] = GENERATE(table<std::string, std::string>({
      {"x-envoy-upstream-rq-timeout-ms", "250"},
      {"x-envoy-max-retries", "0"},
      {"x-envoy-retry-on", "5xx,reset,connect-failure"},
      {"x-envoy-retry-grpc-on", "cancelled,unavailable"},
      {"x-envoy-hedge-on-per-try-timeout", "maybe"},  // not one of those
  }));
  base::Arena arena;
  http::RequestHeaders head(arena);
  head.add(name, value);

  INFO(name);
  CHECK(all().findMalformed(head).empty());
}

TEST_CASE("a word of a caller that is not what it has to be is found by its name") {
  const auto [name, value] = GENERATE(table<std::string, std::string>({
      {"x-envoy-upstream-rq-timeout-ms", "soon"},
      {"x-envoy-upstream-rq-per-try-timeout-ms", "-1"},
      {"x-envoy-max-retries", "1.5"},
      {"x-envoy-max-retries", ""},
      {"x-envoy-retry-on", "5xx,never"},
      {"x-envoy-retry-on", "cancelled"},  // of gRPC
      {"x-envoy-retry-grpc-on", "unavailable,5xx"},
  }));
  base::Arena arena;
  http::RequestHeaders head(arena);
  head.add(name, value);

  INFO(value);
  CHECK(all().findMalformed(head) == name);
  CHECK(StrictWords().findMalformed(head).empty());
}

}  // namespace
}  // namespace sluice::router
