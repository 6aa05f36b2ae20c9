#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::listener_filters::original_dst {

// envoy.extensions.filters.listener.original_dst.v3.OriginalDst.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::listener_filters::original_dst
