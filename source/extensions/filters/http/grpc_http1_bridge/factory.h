#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::grpc_http1_bridge {

// envoy.extensions.filters.http.grpc_http1_bridge.v3.Config.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::grpc_http1_bridge
