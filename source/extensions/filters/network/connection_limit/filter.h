// Closes connections beyond a number that holds for the whole process, whatever the number of workers.
// (proto: envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit)
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "source/filter/network_filter.h"

namespace sluice::extensions::network_filters::connection_limit {

// connection_limit.STAT_PREFIX.*
struct Stats {
  observability::Counter limited_connections;
  observability::Gauge active_connections;
};

// How many there are. Of all generations of the filter, so that an update of its listener lets nobody in anew.
struct Active {
  alignas(64) std::atomic<uint64_t> count{0};
};

class ConnectionLimit : public filter::NetworkFilterFactory {
 public:
  ConnectionLimit(uint64_t max_connections, std::chrono::milliseconds delay, Stats stats,
                  std::shared_ptr<Active> active = std::make_shared<Active>())
      : max_connections_(max_connections), delay_(delay), stats_(stats), active_(std::move(active)) {}

  filter::NetworkResult admit(filter::NetworkStream& stream) const override;
  void onEnd(filter::NetworkStream& stream, bool admitted) const override;

 private:
  const uint64_t max_connections_;
  const std::chrono::milliseconds delay_;
  const Stats stats_;
  const std::shared_ptr<Active> active_;
};

}  // namespace sluice::extensions::network_filters::connection_limit
