// Sets objects of a request's filter state.
// (proto: envoy.extensions.filters.http.set_filter_state.v3.Config)
#pragma once

#include "source/filter/http_filter.h"
#include "source/stream/filter_state_rules.h"

namespace sluice::extensions::http_filters::set_filter_state {

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  stream::FilterStateRules on_request_headers;
  bool clear_route_cache = false;
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  const Settings& settings_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::set_filter_state
