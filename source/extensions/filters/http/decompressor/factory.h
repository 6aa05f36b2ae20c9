#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::decompressor {

// envoy.extensions.filters.http.decompressor.v3.Decompressor.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::decompressor
