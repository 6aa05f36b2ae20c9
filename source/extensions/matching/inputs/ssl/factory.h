#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::matching::inputs::ssl {

// envoy.extensions.matching.common_inputs.ssl.v3.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::matching::inputs::ssl
