#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::network_filters::geoip {

// envoy.extensions.filters.network.geoip.v3.Geoip.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::network_filters::geoip
