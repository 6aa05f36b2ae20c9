#pragma once

#include "source/config/extensions.h"

namespace sluice::extensions::filters::http::local_ratelimit {

// envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::filters::http::local_ratelimit
