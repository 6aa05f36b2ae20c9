#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::ext_proc {

// envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::ext_proc
