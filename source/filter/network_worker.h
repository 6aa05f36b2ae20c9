// What a worker gives to terminal network filters. Thread: the worker's; everything outlives the connections.
#pragma once

#include <cstdint>

#include "source/base/random.h"
#include "source/event/loop.h"
#include "source/net/connection.h"
#include "source/observability/log_file.h"
#include "source/observability/stats.h"

namespace sluice::upstream {
class ClusterSet;
}

namespace sluice::filter {

struct NetworkWorker {
  event::Loop& loop;
  net::WorkerBuffers& buffers;
  observability::StatsCells& cells;
  observability::LogSink& log_sink;
  upstream::ClusterSet& clusters;
  base::Random random;
  uint64_t& next_connection_id;
};

}  // namespace sluice::filter
