#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::network_filters::redis_proxy {

// envoy.extensions.filters.network.redis_proxy.v3.RedisProxy.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::network_filters::redis_proxy
