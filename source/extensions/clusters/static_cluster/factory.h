#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::clusters::static_cluster {

void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::clusters::static_cluster
