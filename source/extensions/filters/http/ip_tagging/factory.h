#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::ip_tagging {

// envoy.extensions.filters.http.ip_tagging.v3.IPTagging.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::ip_tagging
