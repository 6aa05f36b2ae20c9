#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::clusters::redis {

// envoy.extensions.clusters.redis.v3.RedisClusterConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::clusters::redis
