#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::network_filters::set_filter_state {

// envoy.extensions.filters.network.set_filter_state.v3.Config.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::network_filters::set_filter_state
