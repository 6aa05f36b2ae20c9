// Redirects to routes with certain names.
// (proto: envoy.extensions.internal_redirect.allow_listed_routes.v3.AllowListedRoutesConfig)
#pragma once

#include <functional>
#include <set>
#include <string>
#include <utility>

#include "source/route/internal_redirect.h"

namespace sluice::extensions::internal_redirect::allow_listed_routes {

class Predicate : public route::RedirectPredicate {
 public:
  using Names = std::set<std::string, std::less<>>;

  explicit Predicate(Names names) : names_(std::move(names)) {}
  bool accepts(const route::RedirectStep& step) const override { return names_.find(step.route) != names_.end(); }

 private:
  const Names names_;
};

}  // namespace sluice::extensions::internal_redirect::allow_listed_routes
