#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::fault {

// envoy.extensions.filters.http.fault.v3.HTTPFault.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::fault
