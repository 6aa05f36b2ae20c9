// A chain of two scripted filters, for tests of the engine.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "test/support/filter/harness.h"

namespace sluice::filter::testing {

// Filters a and b, that log.
struct Pair {
  Script a{.name = "a"};
  Script b{.name = "b"};
  std::optional<Harness> harness;

  Harness& make(std::vector<std::shared_ptr<const route::PerFilterConfig>> route_settings = {}) {
    harness.emplace(std::vector{scripted(a), scripted(b)}, std::move(route_settings));
    a.log = b.log = &harness->log;
    return *harness;
  }
};

inline size_t countOf(const Log& log, std::string_view text) {
  return static_cast<size_t>(std::count(log.begin(), log.end(), text));
}

inline bool any(const Log& log, std::string_view prefix) {
  return std::any_of(log.begin(), log.end(), [&](const std::string& line) { return line.rfind(prefix, 0) == 0; });
}

// A hook that pauses; the test goes on by `token`.
inline auto pausing(ResumeToken& token) {
  return [&token](auto&, Context& context) -> HookResult {
    token = context.resumeToken();
    return Pause{};
  };
}

// A hook of a head that asks for the body.
inline auto collecting(size_t limit, bool partial = false) {
  return [limit, partial](auto&, Context&) -> HookResult { return Collect{limit, partial}; };
}

// A POST, and a response with status 200: the head and pieces of the body; `end`: the last one ends the message.
inline void post(Harness& harness, std::initializer_list<std::string_view> pieces, bool end) {
  harness.request("POST", {}, false);
  for (const std::string_view& piece : pieces) harness.runner->requestData(piece, end && &piece == pieces.end() - 1);
}
inline void answer(Harness& harness, std::initializer_list<std::string_view> pieces, bool end) {
  harness.respond(200, {}, false);
  for (const std::string_view& piece : pieces) harness.runner->responseData(piece, end && &piece == pieces.end() - 1);
}

}  // namespace sluice::filter::testing

// For the tests beside this file.
namespace sluice::filter {

using testing::answer;
using testing::any;
using testing::collecting;
using testing::countOf;
using testing::Fields;
using testing::Harness;
using testing::Log;
using testing::Pair;
using testing::pausing;
using testing::post;
using testing::Script;
using testing::scripted;

}  // namespace sluice::filter
