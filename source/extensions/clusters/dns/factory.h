#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::clusters::dns {

void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::clusters::dns
