// Answers 429 when the process, or the connection, has served its share of requests.
// (proto: envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit)
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "source/extensions/filters/http/local_ratelimit/limiter.h"
#include "source/filter/http_filter.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"
#include "source/route/mutation.h"
#include "source/route/rate_limits.h"
#include "source/runtime/fraction.h"

namespace sluice::extensions::http_filters::local_ratelimit {

struct Stats {
  observability::Counter enabled, enforced, rate_limited, ok;
};

// Compiled configuration. The buckets are the only part that changes; shared by all streams, workers and generations.
struct Settings {
  std::shared_ptr<Limiter> limiter;                          // null: nothing is limited for all together
  std::shared_ptr<const ConnectionLimiters> per_connection;  // instead; null: none
  bool has_descriptors = false;                              // some bucket asks for them:
  route::RateLimitList limits;                               // instead of those of the routes
  uint32_t stage = 0;
  route::HostLimits host_limits = route::HostLimits::kIfRouteHasNone;
  route::FilterSlot limits_slot = {};
  std::string node_cluster;
  runtime::Fraction enabled{0, 100};   // of the requests: are counted
  runtime::Fraction enforced{0, 100};  // of those over the limit: are refused
  uint16_t status = 429;
  bool resource_exhausted = false;      // what a gRPC client is told: this, or UNAVAILABLE
  bool quota_headers = false;           // x-ratelimit-*
  bool retry_after = false;             // of refusals
  route::HeaderMutations response;      // of refused requests
  route::HeaderMutations not_enforced;  // on requests that would have been refused
  Stats stats;
};

using RouteSettings = route::RouteSettings<Settings>;

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(&settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;

 private:
  Limiter::Verdict take(filter::Context& context) const;
  filter::Reply refusal(filter::Context& context) const;
  // Says in x-ratelimit-* how much is left, if that is wanted.
  void tellQuota(http::ResponseHeaders& headers, filter::Context& context) const;

  const Settings* settings_;  // the route's from the request on, if it has some
  Limiter::Verdict verdict_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::local_ratelimit
