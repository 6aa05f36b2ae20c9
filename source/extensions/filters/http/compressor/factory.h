#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::compressor {

// envoy.extensions.filters.http.compressor.v3.Compressor.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::compressor
