#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::ext_authz {

// envoy.extensions.filters.http.ext_authz.v3.ExtAuthz.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::ext_authz
