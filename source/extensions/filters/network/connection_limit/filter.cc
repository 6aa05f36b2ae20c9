#include "source/extensions/filters/network/connection_limit/filter.h"

namespace sluice::extensions::network_filters::connection_limit {

filter::NetworkResult ConnectionLimit::admit(filter::NetworkStream& stream) const {
  uint64_t active = active_->count.load(std::memory_order_relaxed);
  do {
    if (active >= max_connections_) {
      stream.cells().add(stats_.limited_connections);
      return filter::Close{"connection_limit", delay_};
    }
  } while (!active_->count.compare_exchange_weak(active, active + 1, std::memory_order_relaxed));
  stream.cells().add(stats_.active_connections);
  return filter::Next{};
}

void ConnectionLimit::onEnd(filter::NetworkStream& stream, bool admitted) const {
  if (!admitted) return;
  active_->count.fetch_sub(1, std::memory_order_relaxed);
  stream.cells().sub(stats_.active_connections);
}

}  // namespace sluice::extensions::network_filters::connection_limit
