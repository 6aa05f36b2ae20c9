#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::clusters::eds {

void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::clusters::eds
