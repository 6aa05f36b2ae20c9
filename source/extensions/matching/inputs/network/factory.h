#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::matching::inputs::network {

// envoy.extensions.matching.common_inputs.network.v3.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::matching::inputs::network
