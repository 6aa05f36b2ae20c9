#include "source/upstream/health/check_state.h"

#include <algorithm>
#include <utility>

namespace sluice::upstream::health {

bool CheckState::passed() {
  bad_ = 0;
  const bool first = std::exchange(first_, false);
  if (!unhealthy_) return false;
  if (!first && ++good_ < config_->healthy_threshold) return false;
  good_ = 0;
  unhealthy_ = false;
  return true;
}

bool CheckState::failed(bool at_once) {
  good_ = 0;
  first_ = false;
  if (unhealthy_) return false;
  if (!at_once && ++bad_ < config_->unhealthy_threshold) return false;
  bad_ = 0;
  unhealthy_ = true;
  return true;
}

CheckState::Millis CheckState::untilFirst(base::Random& random) const {
  return Millis(random.below(static_cast<uint64_t>(config_->initial_jitter.count())));
}

// As long as a threshold is not reached, the edge intervals hold, by what the last check said; so Envoy does, whatever
// its API says of "the first check after".
CheckState::Millis CheckState::untilNext(bool traffic, base::Random& random) const {
  const Config& c = *config_;
  const bool turning = good_ > 0 || bad_ > 0;
  Millis wait;
  if (!traffic) {
    wait = turning || unhealthy_ ? c.no_traffic_interval : c.no_traffic_healthy_interval;
  } else if (turning) {
    wait = good_ > 0 ? c.healthy_edge_interval : c.unhealthy_edge_interval;
  } else {
    wait = unhealthy_ ? c.unhealthy_interval : c.interval;
  }
  const uint64_t share = static_cast<uint64_t>(wait.count()) * c.interval_jitter_percent / 100;
  wait += Millis(random.below(share) + random.below(static_cast<uint64_t>(c.interval_jitter.count())));
  return std::max(wait, Millis(1));
}

}  // namespace sluice::upstream::health
