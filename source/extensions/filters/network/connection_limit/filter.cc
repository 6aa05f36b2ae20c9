#include "source/extensions/filters/network/connection_limit/filter.h"

namespace sluice::extensions::filters::network::connection_limit {

filter::ConnectionVerdict ConnectionLimit::onConnection(filter::ConnectionFacts&, observability::StatsCells& cells,
                                                        event::TimePoint) const {
  uint64_t active = active_->count.load(std::memory_order_relaxed);
  do {
    if (active >= max_connections_) {
      cells.add(stats_.limited_connections);
      return filter::ConnectionVerdict::close("connection_limit", delay_);
    }
  } while (!active_->count.compare_exchange_weak(active, active + 1, std::memory_order_relaxed));
  cells.add(stats_.active_connections);
  return {};
}

void ConnectionLimit::onEnd(const filter::ConnectionFacts&, observability::StatsCells& cells, bool allowed) const {
  if (!allowed) return;
  active_->count.fetch_sub(1, std::memory_order_relaxed);
  cells.sub(stats_.active_connections);
}

}  // namespace sluice::extensions::filters::network::connection_limit
