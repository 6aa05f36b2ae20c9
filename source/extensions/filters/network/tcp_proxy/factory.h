#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::network_filters::tcp_proxy {

// envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::network_filters::tcp_proxy
