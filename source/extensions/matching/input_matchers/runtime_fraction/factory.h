#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::matching::input_matchers::runtime_fraction {

// envoy.extensions.matching.input_matchers.runtime_fraction.v3.RuntimeFraction.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::matching::input_matchers::runtime_fraction
