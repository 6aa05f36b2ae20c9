#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::transport_sockets::proxy_protocol {

// envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::transport_sockets::proxy_protocol
