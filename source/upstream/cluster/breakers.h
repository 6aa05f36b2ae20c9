// Circuit breakers of one cluster: limits that hold for the whole process, whatever the number of workers.
//
// Any thread. Each count is one relaxed atomic on a cache line of its own; a limit is never exceeded, not even for a
// moment, and a caller is refused only while the limit is truly reached. Main creates the breakers with the cluster
// and keeps them while the cluster lives, so that a changed configuration does not forget what is in flight.
// (proto: envoy.config.cluster.v3.CircuitBreakers)
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

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
    Cell& cell = at(resource, priority);
    const uint32_t limit = cell.limit.load(std::memory_order_relaxed);
    uint32_t used = cell.used.load(std::memory_order_relaxed);
    do {
      if (used >= limit) return false;
    } while (!cell.used.compare_exchange_weak(used, used + 1, std::memory_order_relaxed));
    return true;
  }

  // Takes one unit whatever the limit, for what must happen anyway (the first connection to a host). Never refused.
  void acquire(Resource resource, RoutingPriority priority) {
    at(resource, priority).used.fetch_add(1, std::memory_order_relaxed);
  }

  void release(Resource resource, RoutingPriority priority) {
    at(resource, priority).used.fetch_sub(1, std::memory_order_relaxed);
  }

  uint32_t used(Resource resource, RoutingPriority priority) const {
    return at(resource, priority).used.load(std::memory_order_relaxed);
  }
  uint32_t limit(Resource resource, RoutingPriority priority) const {
    return at(resource, priority).limit.load(std::memory_order_relaxed);
  }
  // What the stats circuit_breakers.PRIORITY.{cx,rq_pending,rq,rq_retry}_open show.
  bool open(Resource resource, RoutingPriority priority) const {
    return used(resource, priority) >= limit(resource, priority);
  }

  // Main thread. A lower limit cuts nothing that runs: it refuses until enough was released.
  void setLimits(const ThresholdsByPriority& thresholds) {
    for (size_t i = 0; i < kRoutingPriorities; ++i) {
      const auto priority = static_cast<RoutingPriority>(i);
      const Thresholds& limits = thresholds[i];
      at(Resource::kConnections, priority).limit.store(limits.max_connections, std::memory_order_relaxed);
      at(Resource::kPendingRequests, priority).limit.store(limits.max_pending_requests, std::memory_order_relaxed);
      at(Resource::kRequests, priority).limit.store(limits.max_requests, std::memory_order_relaxed);
      at(Resource::kRetries, priority).limit.store(limits.max_retries, std::memory_order_relaxed);
    }
  }

 private:
  struct alignas(64) Cell {
    std::atomic<uint32_t> used{0};
    std::atomic<uint32_t> limit{0};
  };

  Cell& at(Resource resource, RoutingPriority priority) {
    return cells_[static_cast<size_t>(priority) * kResources + static_cast<size_t>(resource)];
  }
  const Cell& at(Resource resource, RoutingPriority priority) const {
    return cells_[static_cast<size_t>(priority) * kResources + static_cast<size_t>(resource)];
  }

  std::array<Cell, kResources * kRoutingPriorities> cells_;
};

}  // namespace sluice::upstream::cluster
