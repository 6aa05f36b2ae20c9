// Refuses requests while as many are on their way as their latency allows.
// (proto: envoy.extensions.filters.http.adaptive_concurrency.v3.AdaptiveConcurrency)
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "source/extensions/filters/http/adaptive_concurrency/controller.h"
#include "source/filter/http_filter.h"
#include "source/observability/stats.h"

namespace sluice::extensions::http_filters::adaptive_concurrency {

// The controller's numbers as gauges. Thread: main.
class Gauges : public observability::LateStats {
 public:
  // `prefix` ends in a dot.
  Gauges(std::shared_ptr<const Controller> controller, const std::string& prefix, observability::Scope& scope);
  void show(observability::StatsCells& cells) override;

 private:
  const std::shared_ptr<const Controller> controller_;
  const observability::Gauge limit_, measuring_, gradient_, headroom_, best_, latency_;
};

// Compiled configuration; only the controller changes. Shared by all streams and workers.
struct Settings {
  bool enabled = true;
  uint16_t status = 503;
  std::shared_ptr<Controller> controller;  // never null
  std::shared_ptr<Gauges> gauges;          // null: nobody looks
  observability::Counter blocked;
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseData(filter::Chunk& chunk, filter::Context& context) override;
  filter::HookResult onResponseTrailers(http::Trailers& trailers, filter::Context& context) override;
  void onStreamEnd(filter::Context& context) override;

 private:
  void complete(filter::Context& context);

  const Settings& settings_;
  bool running_ = false;
  Controller::TimePoint start_{};
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::adaptive_concurrency
