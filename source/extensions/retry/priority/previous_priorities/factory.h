#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::retry::priority::previous_priorities {

// envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::retry::priority::previous_priorities
