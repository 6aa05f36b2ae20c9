#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::load_balancing_policies::override_host {

void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::load_balancing_policies::override_host
