#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::basic_auth {

// envoy.extensions.filters.http.basic_auth.v3.BasicAuth.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::basic_auth
