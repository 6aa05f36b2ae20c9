#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::matching::input_matchers::consistent_hashing {

// envoy.extensions.matching.input_matchers.consistent_hashing.v3.ConsistentHashing.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::matching::input_matchers::consistent_hashing
