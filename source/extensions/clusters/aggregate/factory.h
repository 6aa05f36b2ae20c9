#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::clusters::aggregate {

// envoy.extensions.clusters.aggregate.v3.ClusterConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::clusters::aggregate
