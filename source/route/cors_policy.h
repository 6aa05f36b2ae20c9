// Which origins may use a resource from a browser, and how (proto: extensions.filters.http.cors.v3.CorsPolicy).
//
// One level of a route configuration; a value that it has not is that of the level above. Immutable, shared by all
// workers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/match/string.h"
#include "source/route/filter_slots.h"
#include "source/runtime/fraction.h"

namespace sluice::route {

// Where the older `cors` of routes and virtual hosts stands among the settings of filters. No filter has this name.
inline constexpr std::string_view kCorsSlot = "(cors)";

struct CorsPolicy final : PerFilterConfig {
  runtime::Fraction enabled{1, 1};  // of the requests: the policy is on
  runtime::Fraction shadow{0, 1};   // where it is off: origins are counted
  // Empty: of the level above.
  std::vector<match::StringMatcher> origins;
  std::string methods, headers, exposed, max_age;
  // nullopt: of the level above.
  std::optional<bool> credentials, private_network, forward_other_preflights;
};

}  // namespace sluice::route
