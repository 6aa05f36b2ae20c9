#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::grpc_http1_reverse_bridge {

// envoy.extensions.filters.http.grpc_http1_reverse_bridge.v3.FilterConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::grpc_http1_reverse_bridge
