// Answers requests that its rules do not allow with 403; shadow rules only count and tell. A route may have rules of
// its own, or none. (proto: envoy.extensions.filters.http.rbac.v3.RBAC, RBACPerRoute)
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "source/filter/http_filter.h"
#include "source/filter/rbac/engine.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"

namespace sluice::extensions::http_filters::rbac {

// How often the answer was yes, and no.
struct Counts {
  observability::Counter allowed, denied;
};

// What is enforced, or its shadow.
struct Side {
  std::shared_ptr<const filter::rbac::Engine> engine;  // null: none
  std::string policy_key, result_key;                  // in the dynamic metadata
  std::vector<Counts> policies;                        // as engine->names(); empty: they are not counted
};

struct Checks {
  Side enforced, shadow;
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  Checks checks;
  Counts enforced, shadow;
};

using RouteSettings = route::RouteSettings<Checks>;

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  const Settings& settings_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::rbac
