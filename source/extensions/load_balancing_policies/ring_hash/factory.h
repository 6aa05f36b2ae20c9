#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::load_balancing_policies::ring_hash {

// envoy.extensions.load_balancing_policies.ring_hash.v3.RingHash.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::load_balancing_policies::ring_hash
