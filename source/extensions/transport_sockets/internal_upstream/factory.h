#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::transport_sockets::internal_upstream {

// envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::transport_sockets::internal_upstream
