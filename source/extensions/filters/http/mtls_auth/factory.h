#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::mtls_auth {

// sluice.extensions.filters.http.mtls_auth.v1.MtlsAuth.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::mtls_auth
