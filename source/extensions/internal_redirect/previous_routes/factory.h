#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::internal_redirect::previous_routes {

// envoy.extensions.internal_redirect.previous_routes.v3.PreviousRoutesConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::internal_redirect::previous_routes
