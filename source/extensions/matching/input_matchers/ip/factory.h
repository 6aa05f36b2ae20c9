#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::matching::input_matchers::ip {

// envoy.extensions.matching.input_matchers.ip.v3.Ip.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::matching::input_matchers::ip
