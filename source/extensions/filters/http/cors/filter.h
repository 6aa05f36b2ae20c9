// Answers preflights of browsers and tells them which origins may read an answer.
// (proto: envoy.extensions.filters.http.cors.v3.Cors, CorsPolicy)
#pragma once

#include <string_view>

#include "source/filter/http_filter.h"
#include "source/observability/stats.h"
#include "source/route/cors_policy.h"

namespace sluice::extensions::http_filters::cors {

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  route::FilterSlot older_slot = {};  // where `cors` of routes and virtual hosts stands
  observability::Counter origin_valid, origin_invalid;
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;

 private:
  const Settings& settings_;
  // Of the route that the request had here; another filter may lead it to another one.
  route::PerFilterLevels policies_;
  bool on_ = false;
  std::string_view origin_;  // that may read the answer, in the stream's arena; empty: none
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::cors
