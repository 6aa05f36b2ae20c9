#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::matching::input_matchers::cel {

// xds.type.matcher.v3.CelMatcher.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::matching::input_matchers::cel
