#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::hmac_auth {

// sluice.extensions.filters.http.hmac_auth.v1.HmacAuth.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::hmac_auth
