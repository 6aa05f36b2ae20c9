#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::header_to_metadata {

// envoy.extensions.filters.http.header_to_metadata.v3.Config.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::header_to_metadata
