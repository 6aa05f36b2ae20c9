#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::csrf {

// envoy.extensions.filters.http.csrf.v3.CsrfPolicy.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::csrf
