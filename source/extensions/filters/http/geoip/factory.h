#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::geoip {

// envoy.extensions.filters.http.geoip.v3.Geoip.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::geoip
