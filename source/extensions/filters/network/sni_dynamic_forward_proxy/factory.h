#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::network_filters::sni_dynamic_forward_proxy {

// envoy.extensions.filters.network.sni_dynamic_forward_proxy.v3.FilterConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::network_filters::sni_dynamic_forward_proxy
