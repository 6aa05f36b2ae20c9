#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::retry::host::omit_host_metadata {

// envoy.extensions.retry.host.omit_host_metadata.v3.OmitHostMetadataConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::retry::host::omit_host_metadata
