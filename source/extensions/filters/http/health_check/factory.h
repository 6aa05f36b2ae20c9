#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::health_check {

// envoy.extensions.filters.http.health_check.v3.HealthCheck.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::health_check
