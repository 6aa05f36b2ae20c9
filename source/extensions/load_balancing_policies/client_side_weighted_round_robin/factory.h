#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::load_balancing_policies::client_side_weighted_round_robin {

void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::load_balancing_policies::client_side_weighted_round_robin
