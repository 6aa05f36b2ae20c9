#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::listener_filters::http_inspector {

// envoy.extensions.filters.listener.http_inspector.v3.HttpInspector.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::listener_filters::http_inspector
