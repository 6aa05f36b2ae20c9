#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::udp_filters::udp_proxy {

// envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::udp_filters::udp_proxy
