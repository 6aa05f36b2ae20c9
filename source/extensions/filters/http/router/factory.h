#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::router {

// envoy.extensions.filters.http.router.v3.Router, the terminal filter of every HTTP chain.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::router
