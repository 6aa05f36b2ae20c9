#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::transport_sockets::http_11_proxy {

// envoy.extensions.transport_sockets.http_11_proxy.v3.Http11ProxyUpstreamTransport.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::transport_sockets::http_11_proxy
