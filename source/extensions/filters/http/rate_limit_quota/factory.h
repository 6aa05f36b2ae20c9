#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::rate_limit_quota {

// envoy.extensions.filters.http.rate_limit_quota.v3.RateLimitQuotaFilterConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::rate_limit_quota
