// A chain of two scripted filters, for tests of the engine.
#pragma once

#include <algorithm>
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

}  // namespace sluice::filter::testing
