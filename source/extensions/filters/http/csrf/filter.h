// Refuses requests that change something and come from a page of another host.
// (proto: envoy.extensions.filters.http.csrf.v3.CsrfPolicy)
#pragma once

#include <vector>

#include "source/filter/http_filter.h"
#include "source/match/string.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"
#include "source/runtime/fraction.h"

namespace sluice::extensions::http_filters::csrf {

struct Policy {
  runtime::Fraction enabled{0, 1};  // of the requests: are checked and refused
  runtime::Fraction shadow{0, 1};   // of the others: are checked and counted
  std::vector<match::StringMatcher> additional_origins;
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  Policy policy;
  observability::Counter missing_source_origin, request_invalid, request_valid;
};

using RouteSettings = route::RouteSettings<Policy>;

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  // Counts.
  bool isValid(const Policy& policy, const http::RequestHeaders& headers, filter::Context& context) const;

  const Settings& settings_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::csrf
