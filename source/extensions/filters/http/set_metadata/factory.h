#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::set_metadata {

// envoy.extensions.filters.http.set_metadata.v3.Config.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::set_metadata
