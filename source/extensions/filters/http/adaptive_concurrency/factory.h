#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::adaptive_concurrency {

// envoy.extensions.filters.http.adaptive_concurrency.v3.AdaptiveConcurrency.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::adaptive_concurrency
