// Closes connections beyond a number that holds for the whole process, whatever the number of workers.
// (proto: envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit)
#pragma once

#include <atomic>
#include <cstdint>

#include "source/filter/network.h"

namespace sluice::extensions::filters::network::connection_limit {

// connection_limit.STAT_PREFIX.*
struct Stats {
  observability::Counter limited_connections;
  observability::Gauge active_connections;
};

class ConnectionLimit : public filter::ConnectionFilter {
 public:
  ConnectionLimit(uint64_t max_connections, std::chrono::milliseconds delay, Stats stats)
      : max_connections_(max_connections), delay_(delay), stats_(stats) {}

  filter::ConnectionVerdict onConnection(filter::ConnectionFacts& facts, observability::StatsCells& cells,
                                         event::TimePoint now) const override;
  void onEnd(const filter::ConnectionFacts& facts, observability::StatsCells& cells, bool allowed) const override;

 private:
  const uint64_t max_connections_;
  const std::chrono::milliseconds delay_;
  const Stats stats_;
  alignas(64) mutable std::atomic<uint64_t> active_{0};
};

}  // namespace sluice::extensions::filters::network::connection_limit
