#pragma once

#include "source/config/extensions.h"

namespace sluice::extensions::filters::http::ext_authz {

// envoy.extensions.filters.http.ext_authz.v3.ExtAuthz.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::filters::http::ext_authz
