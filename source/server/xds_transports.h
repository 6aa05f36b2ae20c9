// The streams to management servers: over gRPC, to the hosts of the cluster that a source names, with its TLS.
// Thread: main.
#pragma once

#include <cstdint>
#include <memory>

#include "source/base/random.h"
#include "source/event/loop.h"
#include "source/net/connection.h"
#include "source/server/cluster_manager.h"
#include "source/xds/subscriptions.h"
#include "source/xds/transport.h"

namespace sluice::server {

class XdsTransports {
 public:
  // All of it outlives the transports, as does this.
  XdsTransports(event::Loop& loop, const ClusterManager& clusters, observability::StatsCells& cells, uint64_t seed);

  std::unique_ptr<xds::Transport> make(const xds::GrpcSource& source);

 private:
  std::unique_ptr<xds::Transport> makeTo(const xds::GrpcSource& server);

  event::Loop& loop_;
  const ClusterManager& clusters_;
  base::Random random_;
  net::WorkerBuffers buffers_;  // of the main thread, for streams over TLS
};

}  // namespace sluice::server
