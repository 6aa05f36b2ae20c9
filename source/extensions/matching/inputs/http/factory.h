#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::matching::inputs::http {

// envoy.type.matcher.v3.Http*MatchInput.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::matching::inputs::http
