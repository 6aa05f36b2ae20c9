#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::filters::udp::udp_proxy {

// envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::filters::udp::udp_proxy
