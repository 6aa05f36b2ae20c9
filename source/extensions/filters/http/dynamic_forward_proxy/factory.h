#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::dynamic_forward_proxy {

// envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig, PerRouteConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::dynamic_forward_proxy
