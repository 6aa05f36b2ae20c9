// Circuit breakers of one cluster: limits that hold for the whole process, whatever the number of workers.
//
// Any thread. Each count is one relaxed atomic on a cache line of its own; a limit is never exceeded, not even for a
// moment, and a caller is refused only while the limit is truly reached. Main creates the breakers with the cluster
// and keeps them while the cluster lives, so that a changed configuration does not forget what is in flight.
// (proto: envoy.config.cluster.v3.CircuitBreakers)
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "source/base/shared_limit.h"

namespace sluice::upstream::cluster {

// (proto: envoy.config.core.v3.RoutingPriority)
enum class RoutingPriority : uint8_t { kDefault, kHigh };
inline constexpr size_t kRoutingPriorities = 2;

enum class Resource : uint8_t { kConnections, kPendingRequests, kRequests, kRetries };
inline constexpr size_t kResources = 4;

// How many retries may run at once: a share of the requests that run or wait for a connection, but at least so many.
// (proto: CircuitBreakers.Thresholds.RetryBudget)
struct RetryBudget {
  double percent = 20;
  uint32_t min_concurrency = 3;

  friend bool operator==(const RetryBudget&, const RetryBudget&) = default;
};

// Limits of one priority. (proto: CircuitBreakers.Thresholds; the defaults are Envoy's)
struct Thresholds {
  uint32_t max_connections = 1024;
  uint32_t max_pending_requests = 1024;
  uint32_t max_requests = 1024;
  uint32_t max_retries = 3;
  std::optional<RetryBudget> retry_budget;  // instead of max_retries
  bool track_remaining = false;             // what is left is shown in stats

  friend bool operator==(const Thresholds&, const Thresholds&) = default;
};

inline constexpr uint32_t kNoHostLimit = UINT32_MAX;

using ThresholdsByPriority = std::array<Thresholds, kRoutingPriorities>;

class Breakers {
 public:
  explicit Breakers(const ThresholdsByPriority& thresholds) { setLimits(thresholds); }
  Breakers(const Breakers&) = delete;
  Breakers& operator=(const Breakers&) = delete;

  // Takes one unit; false when the limit is reached (the breaker is open). Every true needs one release().
  [[nodiscard]] bool tryAcquire(Resource resource, RoutingPriority priority) {
    return at(resource, priority).tryAcquire(limit(resource, priority));
  }

  // Takes one unit whatever the limit, for what must happen anyway (the first connection to a host). Never refused.
  void acquire(Resource resource, RoutingPriority priority) { at(resource, priority).acquire(); }

  void release(Resource resource, RoutingPriority priority) { at(resource, priority).release(); }

  uint32_t used(Resource resource, RoutingPriority priority) const { return at(resource, priority).used(); }
  // That of retries may be a share of what runs just now.
  uint32_t limit(Resource resource, RoutingPriority priority) const {
    const uint32_t fixed = at(resource, priority).limit();
    return resource == Resource::kRetries ? std::max(fixed, retryShare(priority)) : fixed;
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
      at(Resource::kConnections, priority).setLimit(limits.max_connections);
      at(Resource::kPendingRequests, priority).setLimit(limits.max_pending_requests);
      at(Resource::kRequests, priority).setLimit(limits.max_requests);
      const std::optional<RetryBudget>& budget = limits.retry_budget;
      at(Resource::kRetries, priority).setLimit(budget ? budget->min_concurrency : limits.max_retries);
      retry_shares_[i].store(budget ? budget->percent / 100 : 0, std::memory_order_relaxed);
    }
  }

 private:
  base::SharedLimit& at(Resource resource, RoutingPriority priority) {
    return cells_[static_cast<size_t>(priority) * kResources + static_cast<size_t>(resource)];
  }
  const base::SharedLimit& at(Resource resource, RoutingPriority priority) const {
    return cells_[static_cast<size_t>(priority) * kResources + static_cast<size_t>(resource)];
  }

  uint32_t retryShare(RoutingPriority priority) const {
    const double share = retry_shares_[static_cast<size_t>(priority)].load(std::memory_order_relaxed);
    if (share == 0) return 0;
    const uint64_t running = uint64_t{used(Resource::kRequests, priority)} + used(Resource::kPendingRequests, priority);
    return static_cast<uint32_t>(std::min<double>(share * static_cast<double>(running), UINT32_MAX));
  }

  std::array<base::SharedLimit, kResources * kRoutingPriorities> cells_;
  std::array<std::atomic<double>, kRoutingPriorities> retry_shares_{};  // of a budget, 0 to 1; 0: there is none
};

}  // namespace sluice::upstream::cluster
