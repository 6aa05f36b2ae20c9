// Redirects that the request has not followed before.
// (proto: envoy.extensions.internal_redirect.previous_routes.v3.PreviousRoutesConfig)
#pragma once

#include "source/route/internal_redirect.h"

namespace sluice::extensions::internal_redirect::previous_routes {

class Predicate : public route::RedirectPredicate {
 public:
  bool accepts(const route::RedirectStep& step) const override { return !step.repeated; }
};

}  // namespace sluice::extensions::internal_redirect::previous_routes
