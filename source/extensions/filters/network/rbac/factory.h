#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::network_filters::rbac {

// envoy.extensions.filters.network.rbac.v3.RBAC.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::network_filters::rbac
