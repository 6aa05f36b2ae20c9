#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::filters::http::grpc_stats {

// envoy.extensions.filters.http.grpc_stats.v3.FilterConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::filters::http::grpc_stats
