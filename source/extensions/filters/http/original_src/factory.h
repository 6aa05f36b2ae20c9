#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::original_src {

// envoy.extensions.filters.http.original_src.v3.OriginalSrc.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::original_src
