// Holds requests that no route takes until the routes that may take them have come, and those whose cluster is not
// there until that has. (proto: envoy.extensions.filters.http.on_demand.v3.OnDemand)
//
// Thread: its worker's.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "source/event/timer.h"
#include "source/filter/context.h"
#include "source/filter/http_filter.h"
#include "source/filter/route_waiter.h"

namespace sluice::extensions::http_filters::on_demand {

// Of the filter, or of a route instead.
struct Settings {
  std::shared_ptr<const route::ClusterSource> clusters;  // null: none is asked for
  std::chrono::milliseconds cluster_timeout{5000};
};

class Filter : public filter::HttpFilter, private filter::RouteWaiter {
 public:
  // For which a request waits for its routes at most.
  static constexpr std::chrono::milliseconds kTimeout{5000};

  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  // --- filter::RouteWaiter
  void onRoutes() override;
  void onTimeout();

  bool awaitCluster();
  void wait(std::chrono::milliseconds time);

  const Settings& settings_;
  filter::Context* context_ = nullptr;  // once it has the head
  filter::ResumeToken token_;           // while it waits
  std::optional<event::Timer> timer_;   // same
  std::vector<const route::PerFilterConfig*> in_front_;
  bool waits_again_ = false;
  bool has_route_ = false;  // what is waited for is its cluster
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::on_demand
