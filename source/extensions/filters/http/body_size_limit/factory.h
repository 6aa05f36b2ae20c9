#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::body_size_limit {

// envoy.extensions.filters.http.body_size_limit.v3.BodySizeLimit.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::body_size_limit
