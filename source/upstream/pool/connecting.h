// The beginning and the end of a connection to a host, as its cluster counts and limits them: for pools, and for
// connections that carry bytes as they are (TcpConnection).
#pragma once

#include <span>
#include <string>

#include "source/net/socket.h"
#include "source/net/transport.h"
#include "source/upstream/pool/pool.h"

namespace sluice::upstream::pool {

struct BegunConnection {
  net::Fd fd;
  net::TransportPtr transport;  // null: plain
  // Further addresses to try (Connection::raceTo), until the cluster has other hosts.
  std::span<const net::Address> others;
  std::string failure;     // kFailed: why
  bool of_ours = false;    // kFailed: that says nothing of the host
  bool host_full = false;  // kOverflow: the limit is that of the host
};

enum class Begin : uint8_t { kBegun, kOverflow, kFailed };

// Asks the breaker of connections, at whose limit an idle one of the cluster makes room, and starts connecting. kBegun:
// `out` has the socket and its transport, and what was taken goes back by endConnection(). Else nothing is held, and
// the failure is counted. `first`: of a pool that has none, to which the host's own limit does not apply.
Begin beginConnection(const PoolContext& context, const cluster::Host& host, cluster::HostStats::Row& host_stats,
                      cluster::RoutingPriority priority, const net::TransportFactory::Options& options,
                      BegunConnection& out, bool first = false);
// Why, after kOverflow.
std::string overflowText(const PoolContext& context, const BegunConnection& begun, cluster::RoutingPriority priority);
void endConnection(const PoolContext& context, const cluster::Host& host, cluster::HostStats::Row& host_stats,
                   cluster::RoutingPriority priority);

}  // namespace sluice::upstream::pool
