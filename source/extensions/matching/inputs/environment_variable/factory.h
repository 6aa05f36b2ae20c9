#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::matching::inputs::environment_variable {

// envoy.extensions.matching.common_inputs.environment_variable.v3.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::matching::inputs::environment_variable
