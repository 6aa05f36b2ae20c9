#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::cache {

// envoy.extensions.filters.http.cache_v2.v3.CacheV2Config and cache.v3.CacheConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::cache
