#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::listener_filters::proxy_protocol {

// envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol and
// sluice.extensions.filters.listener.proxy_protocol.v1.TrustedProxyProtocol.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::listener_filters::proxy_protocol
