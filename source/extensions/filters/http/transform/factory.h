#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::transform {

// envoy.extensions.filters.http.transform.v3.TransformConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::transform
