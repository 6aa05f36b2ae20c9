// Requests that find out where two configurations route otherwise: each domain with each route's path, and the paths
// beside it. Thread: any.
#pragma once

#include <cstddef>
#include <set>
#include <string>

#include "source/explain/configuration.h"
#include "source/explain/request.h"

namespace sluice::ctl {

// Beyond these no more are made of one configuration.
inline constexpr size_t kMaxProbes = 20'000;

// What one probe asks, as requestOf() takes it; ordered, so that those of two configurations are made once.
struct Probe {
  std::string listener, request;  // "GET http://host/path"
  std::set<std::string> headers;  // "name: value"

  auto operator<=>(const Probe&) const = default;
  explain::Parameters parameters() const;
};

// Of the route tables that stand in its listeners. Regular expressions, templates of paths and matchers give no paths
// of their own: `left_out` counts such routes, and what is beyond kMaxProbes.
std::set<Probe> probesOf(const explain::Configuration& configuration, size_t& left_out);

}  // namespace sluice::ctl
