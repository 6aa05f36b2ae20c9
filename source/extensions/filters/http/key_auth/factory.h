#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::key_auth {

// sluice.extensions.filters.http.key_auth.v1.KeyAuth.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::key_auth
