#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::composite {

// envoy.extensions.filters.http.composite.v3.Composite, envoy.extensions.common.matching.v3.ExtensionWithMatcher.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::composite
