#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::geoip_providers::maxmind {

// envoy.extensions.geoip_providers.maxmind.v3.MaxMindConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::geoip_providers::maxmind
