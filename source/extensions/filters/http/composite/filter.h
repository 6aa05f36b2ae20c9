// A filter in the place of which another one stands, chosen for each request by a matcher.
// (proto: envoy.extensions.filters.http.composite.v3.Composite,
// envoy.extensions.common.matching.v3.ExtensionWithMatcher)
#pragma once

#include <memory>
#include <vector>

#include "source/filter/delegating_filter.h"
#include "source/filter/http_filter.h"
#include "source/match/tree.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"
#include "source/runtime/fraction.h"

namespace sluice::extensions::http_filters::composite {

using FactoryPtr = std::shared_ptr<const filter::HttpFilterFactory>;

struct Choice {
  FactoryPtr factory;  // null: no filter
  runtime::Fraction sample{100, 100};
};

// What a tree of requests leads to: its actions are places in `choices`.
struct Choices {
  std::shared_ptr<const match::Matcher> matcher;  // null: takes nothing
  std::vector<Choice> choices;
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  Choices choices;
  FactoryPtr otherwise;  // of requests that the matcher does not take; null: no filter
  observability::Counter delegated;
};

using RouteSettings = route::RouteSettings<Choices>;

// Is the filter that the request's head leads to.
class Filter final : public filter::DelegatingFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

 private:
  const filter::HttpFilterFactory* choose(filter::Context& context) override;

  const Settings& settings_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::composite
