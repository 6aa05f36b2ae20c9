#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::ratelimit {

// envoy.extensions.filters.http.ratelimit.v3.RateLimit.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::ratelimit
