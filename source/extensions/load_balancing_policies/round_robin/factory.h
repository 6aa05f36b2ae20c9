#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::load_balancing_policies::round_robin {

void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::load_balancing_policies::round_robin
