// Whether a request whose attempt failed is sent again. One for each request, whatever the number of its attempts.
//
// Without a policy only what cannot be done twice by that is repeated: what the host cannot have looked at (beyond
// GOAWAY's last stream, or never sent) whatever its method, what it reset as REFUSED_STREAM, or what was lost with a
// connection that it may have closed before it saw the request, if the method is idempotent (RFC 9110 section 9.2.2).
// There are hosts that refuse what they did process. None of it is a retry that the breaker is for; what was lost is
// sent again only once, on a fresh connection.
// Thread: the worker's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "source/upstream/attempt_end.h"
#include "source/upstream/cluster/breakers.h"

namespace sluice::upstream {

class RetryState {
 public:
  // How often a request that the host did not process is put on another connection.
  static constexpr uint8_t kMaxRefusals = 3;

  struct Request {
    bool idempotent = false;
    bool at_hand = false;  // all that was sent of it can be sent once more
  };
  // How it is sent again: to the same host.
  struct Repeat {
    bool fresh = false;  // on a connection that served nothing before
  };

  RetryState() = default;
  ~RetryState() { leavePlace(); }
  RetryState(const RetryState&) = delete;
  RetryState& operator=(const RetryState&) = delete;

  // An attempt failed before the head of its response came. nullopt: the request fails with it.
  std::optional<Repeat> after(const AttemptEnd& failure, const Request& request);
  // A place for a retry that a policy wants; one for all retries of the request. False: the breaker is open.
  bool takePlace(cluster::RoutingPriority priority, const std::shared_ptr<cluster::Breakers>& breakers);
  // There is an answer, so no further retry. However long it goes on, it is none.
  void leavePlace() {
    if (const auto breakers = std::move(place_)) breakers->release(cluster::Resource::kRetries, priority_);
  }

 private:
  std::optional<Repeat> afterLoss();
  std::optional<Repeat> afterRefusal();

  std::shared_ptr<cluster::Breakers> place_;  // in the breaker of retries; null: none
  cluster::RoutingPriority priority_ = cluster::RoutingPriority::kDefault;
  uint8_t refusals_ = 0;
  bool lost_ = false;  // sent once more because the first one was lost
};

}  // namespace sluice::upstream
