#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::on_demand {

// envoy.extensions.filters.http.on_demand.v3.OnDemand.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::on_demand
