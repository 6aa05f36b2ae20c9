#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::rbac {

// envoy.extensions.filters.http.rbac.v3.RBAC.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::rbac
