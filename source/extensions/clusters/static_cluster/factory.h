#pragma once

#include "source/config/extensions.h"

namespace sluice::extensions::clusters::static_cluster {

void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::clusters::static_cluster
