#pragma once

#include "source/config/extensions.h"

namespace sluice::extensions::filters::http::ext_proc {

// envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::filters::http::ext_proc
