#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::oauth2 {

// envoy.extensions.filters.http.oauth2.v3.OAuth2.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::oauth2
