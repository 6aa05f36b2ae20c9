#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::connect_grpc_bridge {

// envoy.extensions.filters.http.connect_grpc_bridge.v3.FilterConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::connect_grpc_bridge
