#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::access_log_filters::cel {

// envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::access_log_filters::cel
