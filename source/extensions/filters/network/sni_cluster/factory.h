#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::network_filters::sni_cluster {

// envoy.extensions.filters.network.sni_cluster.v3.SniCluster.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::network_filters::sni_cluster
