// What the filter is told to do; immutable, shared by all streams and workers.
// (proto: envoy.extensions.filters.http.cache_v2.v3.CacheV2Config, cache.v3.CacheConfig)
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "source/cache/flights.h"
#include "source/cache/store.h"
#include "source/extensions/filters/http/cache/key.h"
#include "source/match/string.h"
#include "source/observability/stats.h"
#include "source/worker/local.h"

namespace sluice::extensions::http_filters::cache {

struct Stats {
  observability::Counter hit, miss, validate, failed_validation, uncacheable;
};

struct Settings {
  std::shared_ptr<cache::Store> store;  // null: the filter is disabled
  std::shared_ptr<const worker::WorkerLocal<cache::Flights>> flights;
  KeyRules key;
  std::vector<match::StringMatcher> allowed_vary;  // names in lower case
  std::vector<std::string> tag_headers;            // of answers, in lower case
  size_t max_body = 0;                             // bytes
  bool ignore_request_directives = false;
  std::string upstream_cluster;  // of what is fetched; empty: the route's
  Stats stats;

  bool mayVaryBy(std::string_view lower) const;
};

}  // namespace sluice::extensions::http_filters::cache
