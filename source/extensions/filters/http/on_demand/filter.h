// Holds requests that no route takes until the routes that may take them have come.
// (proto: envoy.extensions.filters.http.on_demand.v3.OnDemand)
//
// Thread: its worker's.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "source/event/timer.h"
#include "source/filter/context.h"
#include "source/filter/http_filter.h"
#include "source/filter/route_waiter.h"

namespace sluice::extensions::http_filters::on_demand {

class Filter : public filter::HttpFilter, private filter::RouteWaiter {
 public:
  // For which a request waits at most.
  static constexpr std::chrono::milliseconds kTimeout{5000};

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  // --- filter::RouteWaiter
  void onRoutes() override;
  void onTimeout();

  filter::Context* context_ = nullptr;  // while it waits
  filter::ResumeToken token_;           // same
  std::optional<event::Timer> timer_;   // same
  std::vector<const route::PerFilterConfig*> in_front_;
  bool waits_again_ = false;
};

using FilterFactory = filter::Factory<Filter>;

}  // namespace sluice::extensions::http_filters::on_demand
