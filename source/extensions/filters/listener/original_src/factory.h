#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::listener_filters::original_src {

// envoy.extensions.filters.listener.original_src.v3.OriginalSrc.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::listener_filters::original_src
