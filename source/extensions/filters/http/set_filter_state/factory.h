#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::set_filter_state {

// envoy.extensions.filters.http.set_filter_state.v3.Config.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::set_filter_state
