#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::network_filters::http_connection_manager {

// envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::network_filters::http_connection_manager
