#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::network_filters::ext_authz {

// envoy.extensions.filters.network.ext_authz.v3.ExtAuthz.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::network_filters::ext_authz
