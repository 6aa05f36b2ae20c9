#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::api_key_auth {

// envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::api_key_auth
