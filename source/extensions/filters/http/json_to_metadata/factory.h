#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::json_to_metadata {

// envoy.extensions.filters.http.json_to_metadata.v3.JsonToMetadata.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::json_to_metadata
