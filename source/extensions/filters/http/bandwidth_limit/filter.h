// Holds the bodies of requests and responses to a rate that all of them share.
// (proto: envoy.extensions.filters.http.bandwidth_limit.v3.BandwidthLimit)
#pragma once

#include <chrono>
#include <memory>

#include "source/filter/calls.h"
#include "source/filter/http_filter.h"
#include "source/filter/pace.h"
#include "source/filter/token.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"

namespace sluice::extensions::http_filters::bandwidth_limit {

// Of one direction.
struct Stats {
  observability::Counter enabled, enforced, incoming_total_size, allowed_total_size;
  observability::Gauge pending;
  observability::Histogram transfer_duration;  // milliseconds
};

// Compiled configuration; immutable, shared by all streams and workers, but for the pace.
struct Settings {
  std::shared_ptr<filter::Pace> pace;  // null: nothing is held up
  bool requests = false, responses = false;
  Stats request_stats, response_stats;
};

using RouteSettings = route::RouteSettings<Settings>;

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(&settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestData(filter::Chunk& chunk, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseData(filter::Chunk& chunk, filter::Context& context) override;
  void onStreamEnd(filter::Context& context) override;

 private:
  // What becomes of the body of one direction.
  struct Flow {
    const Stats* stats = nullptr;                   // null: it is not held up
    std::chrono::steady_clock::time_point begun{};  // when its first piece came
    bool some = false;                              // there was one
    bool held = false;                              // some piece had to wait
    uint64_t waiting = 0;                           // bytes that wait now
    filter::ResumeToken token;
    std::unique_ptr<filter::Call> timer;
  };

  void begin(Flow& flow, const Stats& stats, filter::Context& context);
  filter::HookResult hold(Flow& flow, filter::Chunk& chunk, filter::Context& context);
  static void finish(Flow& flow, filter::Context& context);
  // The stream is over, and what waits of it goes nowhere.
  void abandon(Flow& flow, filter::Context& context);

  const Settings* settings_;  // the route's from the request on, if it has some
  Flow request_, response_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::bandwidth_limit
