#include "source/upstream/retry_state.h"

namespace sluice::upstream {

using http::ResetReason;

std::optional<RetryState::Repeat> RetryState::after(const AttemptEnd& failure, const Request& request,
                                                    const std::shared_ptr<cluster::Breakers>& breakers) {
  if (failure.kind != AttemptEnd::Kind::kReset || !request.at_hand) return std::nullopt;
  switch (failure.reset) {
    case ResetReason::kUnprocessed:
      return afterRefusal();
    case ResetReason::kRefused:
      return request.idempotent ? afterRefusal() : std::nullopt;
    case ResetReason::kConnectionEnded:
      return request.idempotent && failure.maybe_unseen ? afterLoss(request.priority, breakers) : std::nullopt;
    default:
      return std::nullopt;
  }
}

// No load that the breaker of retries is for: the host did not process it.
std::optional<RetryState::Repeat> RetryState::afterRefusal() {
  if (refusals_ == kMaxRefusals) return std::nullopt;
  ++refusals_;
  return Repeat{};
}

std::optional<RetryState::Repeat> RetryState::afterLoss(cluster::RoutingPriority priority,
                                                        const std::shared_ptr<cluster::Breakers>& breakers) {
  if (lost_ || !takePlace(priority, breakers)) return std::nullopt;
  lost_ = true;
  return Repeat{.fresh = true};
}

bool RetryState::takePlace(cluster::RoutingPriority priority, const std::shared_ptr<cluster::Breakers>& breakers) {
  if (place_) return true;
  if (!breakers->tryAcquire(cluster::Resource::kRetries, priority)) return false;
  place_ = breakers;
  priority_ = priority;
  return true;
}

}  // namespace sluice::upstream
