#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::bandwidth_limit {

// envoy.extensions.filters.http.bandwidth_limit.v3.BandwidthLimit.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::bandwidth_limit
