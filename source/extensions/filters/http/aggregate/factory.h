#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::aggregate {

// sluice.extensions.filters.http.aggregate.v1.Aggregate.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::aggregate
