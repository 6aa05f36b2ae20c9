#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::buffer {

// envoy.extensions.filters.http.buffer.v3.Buffer.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::buffer
