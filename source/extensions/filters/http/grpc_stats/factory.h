#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::grpc_stats {

// envoy.extensions.filters.http.grpc_stats.v3.FilterConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::grpc_stats
