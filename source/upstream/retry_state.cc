#include "source/upstream/retry_state.h"

namespace sluice::upstream {

using http::ResetReason;

std::optional<RetryState::Repeat> RetryState::after(const AttemptEnd& failure, const Request& request) {
  if (failure.kind != AttemptEnd::Kind::kReset || !request.at_hand) return std::nullopt;
  switch (failure.reset) {
    case ResetReason::kUnprocessed:
      return afterRefusal();
    case ResetReason::kRefused:
      return request.idempotent ? afterRefusal() : std::nullopt;
    case ResetReason::kConnectionEnded:
      return request.idempotent && failure.maybe_unseen ? afterLoss() : std::nullopt;
    default:
      return std::nullopt;
  }
}

std::optional<RetryState::Repeat> RetryState::afterRefusal() {
  if (refusals_ == kMaxRefusals) return std::nullopt;
  ++refusals_;
  return Repeat{};
}

std::optional<RetryState::Repeat> RetryState::afterLoss() {
  if (lost_) return std::nullopt;
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
