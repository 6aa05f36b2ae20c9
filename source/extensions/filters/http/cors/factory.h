#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::cors {

// envoy.extensions.filters.http.cors.v3.Cors.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::cors
