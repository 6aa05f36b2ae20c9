#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::retry::host::previous_hosts {

// envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::retry::host::previous_hosts
