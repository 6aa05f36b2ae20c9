#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::network_filters::local_ratelimit {

// envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::network_filters::local_ratelimit
