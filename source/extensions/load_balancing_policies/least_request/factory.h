#pragma once

#include "source/config/extensions.h"

namespace sluice::extensions::load_balancing_policies::least_request {

void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::load_balancing_policies::least_request
