#pragma once

#include "source/config/extensions.h"

namespace sluice::extensions::filters::http::ratelimit {

// envoy.extensions.filters.http.ratelimit.v3.RateLimit.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::filters::http::ratelimit
