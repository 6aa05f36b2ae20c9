// The place of a connection among those that its host may have, where a cluster limits them. They are counted for the
// process, and for both priorities together, as Envoy does. (proto: CircuitBreakers.per_host_thresholds)
#pragma once

#include "source/upstream/pool/pool.h"

namespace sluice::upstream::pool {

// False: the host has as many as it may have. True: giveHostPlace() follows. `anyway`: takes it whatever the limit.
[[nodiscard]] inline bool takeHostPlace(const PoolContext& context, const cluster::Host& host,
                                        cluster::RoutingPriority priority, bool anyway = false) {
  const uint32_t limit = context.config->host_connections[static_cast<size_t>(priority)];
  if (limit == cluster::kNoHostLimit) return true;
  return host.monitor().takeConnection(anyway ? cluster::kNoHostLimit : limit);
}

inline void giveHostPlace(const PoolContext& context, const cluster::Host& host, cluster::RoutingPriority priority) {
  if (context.config->host_connections[static_cast<size_t>(priority)] != cluster::kNoHostLimit) {
    host.monitor().giveConnection();
  }
}

}  // namespace sluice::upstream::pool
