#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::custom_response {

// envoy.extensions.filters.http.custom_response.v3.CustomResponse.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::custom_response
