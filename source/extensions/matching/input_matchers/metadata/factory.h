#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::matching::input_matchers::metadata {

// envoy.extensions.matching.input_matchers.metadata.v3.Metadata.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::matching::input_matchers::metadata
