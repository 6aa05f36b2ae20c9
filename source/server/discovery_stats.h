// What is told of the discovery of one resource by name: a cluster's endpoints (EDS), or a route table (RDS).
//
// Streams carry many resources; what happened to one of them is told here, under Envoy's names. They go with whatever
// the resource is for. Thread: main.
#pragma once

#include <cstdint>
#include <string_view>

#include "source/observability/stats.h"

namespace sluice::server {

class DiscoveryStats {
 public:
  enum class Of : uint8_t { kEndpoints, kRoutes };
  // `cells`: main's.
  DiscoveryStats(Of of, observability::Scope scope, observability::StatsCells& cells);

  // It is asked for. Each outcome below is followed by another attempt.
  void asked() { cells_.add(attempt_); }
  // It was taken; `changed`: what it says is not what was known.
  void accepted(std::string_view version, bool changed);
  void rejected() { count(rejected_); }
  // What was taken holds for a time only; that is over.
  void expires() { cells_.add(timeout_received_); }
  void expired() { cells_.add(stale_); }
  // The server has none.
  void empty() { count(empty_); }
  void timedOut() { count(fetch_timeout_); }
  // What carries it broke so many times.
  void failed(uint64_t times);

 private:
  void count(observability::Counter outcome, uint64_t times = 1) {
    cells_.add(outcome, times);
    cells_.add(attempt_, times);
  }

  observability::Scope scope_;
  observability::StatsCells& cells_;
  observability::Counter attempt_, success_, rejected_, failure_, fetch_timeout_, empty_;
  observability::Counter no_rebuild_, timeout_received_, stale_;  // of endpoints
  observability::Counter config_reload_;                          // of routes
  observability::Gauge update_time_, version_, config_reload_time_;
};

}  // namespace sluice::server
