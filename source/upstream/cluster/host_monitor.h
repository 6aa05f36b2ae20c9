// What is kept of one host by its identity, whatever else of its endpoint changes: its counts, and what is known of its
// health beside what the endpoint says: an opinion of each of those who watch it, of which the worst counts, and why.
//
// Thread: counts as HostStats says, streaks, load and what the host asked for any; health main only.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "source/event/timer.h"
#include "source/net/address.h"
#include "source/stream/metadata.h"
#include "source/upstream/cluster/assignment.h"
#include "source/upstream/cluster/host_stats.h"
#include "source/upstream/cluster/load_weight.h"

namespace sluice::upstream::cluster {

// What makes a host the same one in the next update.
struct HostIdentity {
  net::Address address;
  std::string_view hostname;
  std::string_view metadata;  // FixedMetadata::identity()

  bool operator==(const HostIdentity&) const = default;
  size_t hash() const { return address.hash() * 31 + std::hash<std::string_view>{}(hostname); }
};

inline HostIdentity identityOf(const Endpoint& endpoint) {
  return {endpoint.address, endpoint.hostname, endpoint.metadata.identity()};
}

// Who watches hosts.
enum class HealthInput : uint8_t {
  kActiveCheck,  // requests of our own
  kEjection,     // the outcome of others' requests
  kDrain,        // somebody asked for it
};
inline constexpr size_t kHealthInputs = 3;

// The worse of two; the first where neither gets new requests.
inline Health worseOf(Health first, Health second) {
  const auto rank = [](Health health) { return std::min(health, Health::kUnhealthy); };
  return rank(second) > rank(first) ? second : first;
}

// Failures of a host in a row, seen by all workers together; for outlier detection.
struct Streaks {
  std::atomic<uint32_t> of_5xx{0}, of_gateway{0}, of_local{0};

  void end() {
    for (std::atomic<uint32_t>* streak : {&of_5xx, &of_gateway, &of_local}) streak->store(0, std::memory_order_relaxed);
  }
};

class HostMonitor {
 public:
  HostMonitor(net::Address address, std::string hostname, stream::FixedMetadata metadata)
      : address_(address), hostname_(std::move(hostname)), metadata_(std::move(metadata)) {}

  HostIdentity identity() const { return {address_, hostname_, metadata_.identity()}; }
  HostStats& stats() { return stats_; }
  Streaks& streaks() { return streaks_; }
  // What the host says of its load, where somebody wants to know.
  LoadWeight& loadWeight() { return load_weight_; }

  // When it came: was first known, or was found healthy again by active checks. The epoch: long ago.
  event::TimePoint inServiceSince() const { return in_service_since_; }
  void enterService(event::TimePoint now) { in_service_since_ = now; }

  // kHealthy: no objection. True if another opinion is the worst now.
  bool set(HealthInput input, Health opinion) {
    opinions_[static_cast<size_t>(input)] = opinion;
    const Health before = worst_;
    worst_ = Health::kHealthy;
    for (const Health each : opinions_) worst_ = worseOf(worst_, each);
    return worst_ != before;
  }
  Health opinion(HealthInput input) const { return opinions_[static_cast<size_t>(input)]; }

  // Why, in a few words; empty: nothing to say. Also why something was not done.
  const std::string& reason(HealthInput input) const { return reasons_[static_cast<size_t>(input)]; }
  void explain(HealthInput input, std::string reason) { reasons_[static_cast<size_t>(input)] = std::move(reason); }
  // The first check of it is not over; until then it counts as unhealthy.
  bool pending() const { return pending_; }
  void setPending(bool pending) { pending_ = pending; }
  void awaitFirstCheck() {
    pending_ = true;
    explain(HealthInput::kActiveCheck, {});
    set(HealthInput::kActiveCheck, Health::kUnhealthy);
  }

  // Counts a connection; false: there are `limit` already. Any thread. Only where hosts have a limit.
  [[nodiscard]] bool takeConnection(uint32_t limit) {
    uint32_t used = connections_.load(std::memory_order_relaxed);
    do {
      if (used >= limit) return false;
    } while (!connections_.compare_exchange_weak(used, used + 1, std::memory_order_relaxed));
    return true;
  }
  void giveConnection() { connections_.fetch_sub(1, std::memory_order_relaxed); }

  // Any thread. It asked in an answer to count as failed. True: for the first time since it was let in.
  bool noteAskedToFail() {
    return !asked_to_fail_.load(std::memory_order_relaxed) && !asked_to_fail_.exchange(true, std::memory_order_relaxed);
  }
  // It failed because it asked to: until it is let in again, shares of healthy hosts are counted as if it were not
  // there. Others do not have to make up for it, and no panic begins. (docs: Envoy, "Excluded hosts")
  bool excluded() const { return excluded_; }
  void exclude() { excluded_ = true; }
  // True if it was excluded.
  bool letIn() {
    asked_to_fail_.store(false, std::memory_order_relaxed);
    return std::exchange(excluded_, false);
  }

  // What counts for a host whose endpoint says `assigned`.
  Health health(Health assigned) const { return worseOf(assigned, worst_); }

 private:
  const net::Address address_;
  const std::string hostname_;
  const stream::FixedMetadata metadata_;
  HostStats stats_;
  Streaks streaks_;
  LoadWeight load_weight_;
  std::atomic<uint32_t> connections_{0};
  std::array<Health, kHealthInputs> opinions_{};  // kHealthy
  std::array<std::string, kHealthInputs> reasons_;
  Health worst_ = Health::kHealthy;
  event::TimePoint in_service_since_{};
  bool pending_ = false;
  bool excluded_ = false;
  std::atomic<bool> asked_to_fail_{false};
};

}  // namespace sluice::upstream::cluster
