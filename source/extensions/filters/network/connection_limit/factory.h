#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::network_filters::connection_limit {

// envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::network_filters::connection_limit
