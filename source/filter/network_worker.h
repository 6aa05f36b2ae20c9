// What a worker gives to terminal network filters. Thread: the worker's; everything outlives the connections.
#pragma once

#include <cstdint>

#include "source/base/random.h"
#include "source/event/loop.h"
#include "source/net/connection.h"
#include "source/net/datagram.h"
#include "source/observability/log_file.h"
#include "source/observability/stats.h"

namespace sluice::upstream {
class ClusterSet;
}

namespace sluice::filter {

// How many UDP sessions the worker may have: each costs a descriptor, and who begins one cannot be known.
struct UdpBudget {
  size_t limit = 16384;
  size_t used = 0;
};

struct NetworkWorker {
  event::Loop& loop;
  net::WorkerBuffers& buffers;
  observability::StatsCells& cells;
  observability::LogSink& log_sink;
  upstream::ClusterSet& clusters;
  base::Random random;
  uint64_t& next_connection_id;
  net::DatagramBatch datagrams = {};  // for whoever reads datagrams, until the next read
  UdpBudget udp = {};
};

}  // namespace sluice::filter
