// Circuit breakers of one cluster: limits that hold for the whole process, whatever the number of workers.
//
// Any thread. Each count is one relaxed atomic on a cache line of its own; a limit is never exceeded, not even for a
// moment, and a caller is refused only while the limit is truly reached. Main creates the breakers with the cluster
// and keeps them while the cluster lives, so that a changed configuration does not forget what is in flight.
// (proto: envoy.config.cluster.v3.CircuitBreakers)
#pragma once

#include <array>
#include <cstdint>

#include "source/base/shared_limit.h"

namespace sluice::upstream::cluster {

// (proto: envoy.config.core.v3.RoutingPriority)
enum class RoutingPriority : uint8_t { kDefault, kHigh };
inline constexpr size_t kRoutingPriorities = 2;

enum class Resource : uint8_t { kConnections, kPendingRequests, kRequests, kRetries };
inline constexpr size_t kResources = 4;

// Limits of one priority. (proto: CircuitBreakers.Thresholds; the defaults are Envoy's)
struct Thresholds {
  uint32_t max_connections = 1024;
  uint32_t max_pending_requests = 1024;
  uint32_t max_requests = 1024;
  uint32_t max_retries = 3;

  friend bool operator==(const Thresholds&, const Thresholds&) = default;
};

using ThresholdsByPriority = std::array<Thresholds, kRoutingPriorities>;

class Breakers {
 public:
  explicit Breakers(const ThresholdsByPriority& thresholds) { setLimits(thresholds); }
  Breakers(const Breakers&) = delete;
  Breakers& operator=(const Breakers&) = delete;

  // Takes one unit; false when the limit is reached (the breaker is open). Every true needs one release().
  [[nodiscard]] bool tryAcquire(Resource resource, RoutingPriority priority) {
    return at(resource, priority).tryAcquire();
  }

  // Takes one unit whatever the limit, for what must happen anyway (the first connection to a host). Never refused.
  void acquire(Resource resource, RoutingPriority priority) { at(resource, priority).acquire(); }

  void release(Resource resource, RoutingPriority priority) { at(resource, priority).release(); }

  uint32_t used(Resource resource, RoutingPriority priority) const { return at(resource, priority).used(); }
  uint32_t limit(Resource resource, RoutingPriority priority) const { return at(resource, priority).limit(); }
  // What the stats circuit_breakers.PRIORITY.{cx,rq_pending,rq,rq_retry}_open show.
  bool open(Resource resource, RoutingPriority priority) const {
    return used(resource, priority) >= limit(resource, priority);
  }

  // Main thread. A lower limit cuts nothing that runs: it refuses until enough was released.
  void setLimits(const ThresholdsByPriority& thresholds) {
    for (size_t i = 0; i < kRoutingPriorities; ++i) {
      const auto priority = static_cast<RoutingPriority>(i);
      const Thresholds& limits = thresholds[i];
      at(Resource::kConnections, priority).setLimit(limits.max_connections);
      at(Resource::kPendingRequests, priority).setLimit(limits.max_pending_requests);
      at(Resource::kRequests, priority).setLimit(limits.max_requests);
      at(Resource::kRetries, priority).setLimit(limits.max_retries);
    }
  }

 private:
  base::SharedLimit& at(Resource resource, RoutingPriority priority) {
    return cells_[static_cast<size_t>(priority) * kResources + static_cast<size_t>(resource)];
  }
  const base::SharedLimit& at(Resource resource, RoutingPriority priority) const {
    return cells_[static_cast<size_t>(priority) * kResources + static_cast<size_t>(resource)];
  }

  std::array<base::SharedLimit, kResources * kRoutingPriorities> cells_;
};

}  // namespace sluice::upstream::cluster
