// Lets through what a service has assigned to the request's bucket.
// (proto: envoy.extensions.filters.http.rate_limit_quota.v3.RateLimitQuotaFilterConfig, RateLimitQuotaOverride)
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "source/extensions/filters/http/rate_limit_quota/quotas.h"
#include "source/filter/http_filter.h"
#include "source/match/tree.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"
#include "source/route/mutation.h"
#include "source/runtime/fraction.h"

namespace sluice::extensions::http_filters::rate_limit_quota {

// What a tree of requests leads to: its actions are places in `buckets`.
struct Buckets {
  std::shared_ptr<const match::Matcher> matcher;  // null: says nothing, of a route
  std::vector<BucketSettingsPtr> buckets;
  uint8_t needs = 0;  // bits of match::Part, of the matcher and of ids
};

struct Stats {
  observability::Counter over_limit, no_assignment, expired_assignment, no_bucket;
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  std::string domain;
  Buckets buckets;
  runtime::Fraction enabled{1, 1};   // of the requests
  runtime::Fraction enforced{1, 1};  // of those over the limit
  route::HeaderMutations not_enforced;
  Stats stats;
  std::shared_ptr<const Quotas> quotas;  // null: there is no main that could ask for any
};

struct RouteSettings final : route::PerFilterConfig {
  std::string domain;  // empty: as at the next level
  Buckets buckets;
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  // Asks the bucket of the settings, and leaves its id in metadata.
  Verdict take(const BucketSettingsPtr& bucket, const match::Data& data, const std::string& domain,
               std::string_view metadata, filter::Context& context) const;
  void count(Verdict verdict, filter::Context& context) const;
  static filter::Reply refusal(const BucketSettings::Denial& denial, filter::Context& context);

  const Settings& settings_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::rate_limit_quota
