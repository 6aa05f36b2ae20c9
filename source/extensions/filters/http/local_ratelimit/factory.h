#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::local_ratelimit {

// envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::local_ratelimit
