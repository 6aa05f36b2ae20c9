#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::load_balancing_policies::subset {

// envoy.extensions.load_balancing_policies.subset.v3.Subset.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::load_balancing_policies::subset
