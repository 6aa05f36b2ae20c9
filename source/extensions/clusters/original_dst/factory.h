#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::clusters::original_dst {

void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::clusters::original_dst
