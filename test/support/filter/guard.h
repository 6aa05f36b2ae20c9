// Filters with their hooks watched: that none runs too late, twice, out of order or behind the filter's own reply.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "source/filter/http_filter.h"

namespace sluice::filter::testing {

class Bed;

// What the guards around the filters of an exchange see.
struct Watch {
  Bed* bed = nullptr;
  std::string problem;  // the first one
  int filters = 0;      // that are there

  void report(std::string text) {
    if (problem.empty()) problem = std::move(text);
  }
};

// `name`: of the filter, for what is reported to `watch`, which outlives the filters.
std::shared_ptr<const HttpFilterFactory> guarded(std::shared_ptr<const HttpFilterFactory> inner, std::string name,
                                                 Watch& watch);

}  // namespace sluice::filter::testing
