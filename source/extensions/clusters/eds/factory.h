#pragma once

#include "source/config/extensions.h"

namespace sluice::extensions::clusters::eds {

void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::clusters::eds
