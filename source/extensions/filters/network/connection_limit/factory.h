#pragma once

#include "source/config/extensions.h"

namespace sluice::extensions::filters::network::connection_limit {

// envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::filters::network::connection_limit
