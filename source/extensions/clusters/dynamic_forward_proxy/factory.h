#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::clusters::dynamic_forward_proxy {

// envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::clusters::dynamic_forward_proxy
