// Answers 429 when the process has served its share of requests.
// (proto: envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit)
#pragma once

#include <cstdint>
#include <memory>

#include "source/base/token_bucket.h"
#include "source/filter/http_filter.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"
#include "source/route/mutation.h"
#include "source/runtime/fraction.h"

namespace sluice::extensions::http_filters::local_ratelimit {

using base::TokenBucket;

struct Stats {
  observability::Counter enabled, enforced, rate_limited, ok;
};

// Compiled configuration. The bucket is the only part that changes; shared by all streams, workers and generations.
struct Settings {
  std::shared_ptr<TokenBucket> bucket;  // null: nothing is limited
  runtime::Fraction enabled{0, 100};    // of the requests: are counted
  runtime::Fraction enforced{0, 100};   // of those over the limit: are refused
  uint16_t status = 429;
  route::HeaderMutations response;      // of refused requests
  route::HeaderMutations not_enforced;  // on requests that would have been refused
  Stats stats;
};

struct RouteSettings : route::PerFilterConfig {
  explicit RouteSettings(Settings settings) : settings(std::move(settings)) {}
  const Settings settings;
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  const Settings& settings_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::local_ratelimit
