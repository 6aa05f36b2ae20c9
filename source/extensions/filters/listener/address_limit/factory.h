#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::listener_filters::address_limit {

// sluice.extensions.filters.listener.address_limit.v1.AddressLimit.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::listener_filters::address_limit
