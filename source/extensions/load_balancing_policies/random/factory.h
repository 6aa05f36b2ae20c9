#pragma once

#include "source/config/extensions.h"

namespace sluice::extensions::load_balancing_policies::random {

void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::load_balancing_policies::random
