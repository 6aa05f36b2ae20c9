#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::internal_redirect::safe_cross_scheme {

// envoy.extensions.internal_redirect.safe_cross_scheme.v3.SafeCrossSchemeConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::internal_redirect::safe_cross_scheme
