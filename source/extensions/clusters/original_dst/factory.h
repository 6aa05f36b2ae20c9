#pragma once

#include "source/config/extensions.h"

namespace sluice::extensions::clusters::original_dst {

void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::clusters::original_dst
