#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::load_balancing_policies::maglev {

// envoy.extensions.load_balancing_policies.maglev.v3.Maglev.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::load_balancing_policies::maglev
