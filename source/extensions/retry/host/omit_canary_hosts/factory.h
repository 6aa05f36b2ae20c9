#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::retry::host::omit_canary_hosts {

// envoy.extensions.retry.host.omit_canary_hosts.v3.OmitCanaryHostsPredicate.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::retry::host::omit_canary_hosts
