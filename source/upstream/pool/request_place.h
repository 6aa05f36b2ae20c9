// A request's place among the cluster's max_requests, with what is counted of requests that are on a connection: for
// pools, and for tunnels that end here.
#pragma once

#include "source/upstream/pool/pool.h"

namespace sluice::upstream::pool {

// False: the breaker is open, which is counted. True: endRequest() follows.
[[nodiscard]] inline bool beginRequest(const PoolContext& context, cluster::HostStats::Row& host_stats,
                                       cluster::RoutingPriority priority) {
  if (!context.breakers->tryAcquire(cluster::Resource::kRequests, priority)) {
    context.cells.add(context.stats.rq_overflow);
    return false;
  }
  context.cells.add(context.stats.rq_total);
  context.cells.add(context.stats.rq_active);
  host_stats.add(cluster::HostStat::kRqTotal);
  host_stats.add(cluster::HostStat::kRqActive);
  return true;
}

inline void endRequest(const PoolContext& context, cluster::HostStats::Row& host_stats,
                       cluster::RoutingPriority priority) {
  context.breakers->release(cluster::Resource::kRequests, priority);
  context.cells.sub(context.stats.rq_active);
  host_stats.sub(cluster::HostStat::kRqActive);
}

}  // namespace sluice::upstream::pool
