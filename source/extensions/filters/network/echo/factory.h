#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::network_filters::echo {

// envoy.extensions.filters.network.echo.v3.Echo.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::network_filters::echo
