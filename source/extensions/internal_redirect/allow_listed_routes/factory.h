#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::internal_redirect::allow_listed_routes {

// envoy.extensions.internal_redirect.allow_listed_routes.v3.AllowListedRoutesConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::internal_redirect::allow_listed_routes
