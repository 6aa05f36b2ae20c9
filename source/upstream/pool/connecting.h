// The beginning and the end of a connection to a host, as its cluster counts and limits them: for pools, and for
// connections that carry bytes as they are (TcpConnection).
#pragma once

#include <string>

#include "source/net/socket.h"
#include "source/net/transport.h"
#include "source/upstream/pool/pool.h"

namespace sluice::upstream::pool {

struct BegunConnection {
  net::Fd fd;
  net::TransportPtr transport;  // null: plain
  std::string failure;          // kFailed: why
};

enum class Begin : uint8_t { kBegun, kOverflow, kFailed };

// Asks the breaker of connections, at whose limit an idle one of the cluster makes room, and starts connecting. kBegun:
// `out` has the socket and its transport, and what was taken goes back by endConnection(). Else nothing is held, and
// the failure is counted.
Begin beginConnection(const PoolContext& context, const cluster::Host& host, cluster::HostStats::Row& host_stats,
                      cluster::RoutingPriority priority, const net::TransportFactory::Options& options,
                      BegunConnection& out);
void endConnection(const PoolContext& context, cluster::HostStats::Row& host_stats, cluster::RoutingPriority priority);

}  // namespace sluice::upstream::pool
