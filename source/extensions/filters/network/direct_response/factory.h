#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::network_filters::direct_response {

// envoy.extensions.filters.network.direct_response.v3.Config.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::network_filters::direct_response
