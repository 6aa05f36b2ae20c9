// Why a breaker refuses, for %UPSTREAM_TRANSPORT_FAILURE_REASON%: which limit of which cluster, and how to change it.
#pragma once

#include <string>

#include "source/upstream/pool/pool.h"

namespace sluice::upstream::pool {

std::string overflowText(const PoolContext& context, cluster::Resource resource, cluster::RoutingPriority priority);
// That of connections of one host.
std::string hostOverflowText(const PoolContext& context, cluster::RoutingPriority priority);

}  // namespace sluice::upstream::pool
