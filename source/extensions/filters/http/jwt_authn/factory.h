#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::jwt_authn {

// envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::jwt_authn
