// A cookie of a request against a pattern. (proto: config.route.v3.CookieMatcher)
// Immutable, used by all workers.
#pragma once

#include <string>

#include "source/http/headers.h"
#include "source/match/string.h"

namespace sluice::match {

struct CookieMatcher {
  std::string name;      // with regard to case
  StringMatcher string;  // of the value, without quotes around it; of several of the name the first counts
  bool invert = false;   // a request without the cookie matches, too

  bool matches(const http::HeaderList& headers) const;
};

}  // namespace sluice::match
