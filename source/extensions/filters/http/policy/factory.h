#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::policy {

// sluice.extensions.filters.http.policy.v1.Policy.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::policy
