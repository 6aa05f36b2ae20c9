// Redirects that do not lead from http to https.
// (proto: envoy.extensions.internal_redirect.safe_cross_scheme.v3.SafeCrossSchemeConfig)
#pragma once

#include "source/route/internal_redirect.h"

namespace sluice::extensions::internal_redirect::safe_cross_scheme {

class Predicate : public route::RedirectPredicate {
 public:
  bool accepts(const route::RedirectStep& step) const override { return step.from_https || !step.to_https; }
};

}  // namespace sluice::extensions::internal_redirect::safe_cross_scheme
