// ROUND_ROBIN: hosts of equal weight in turn, others by earliest deadline first, which follows the weights and spreads
// them evenly. Each worker begins at another host.
#pragma once

#include <memory>

#include "source/upstream/lb/policy.h"

namespace sluice::extensions::load_balancing_policies::round_robin {

class Policy final : public upstream::lb::LbPolicy {
 public:
  explicit Policy(bool locality_weighted = false) : locality_weighted_(locality_weighted) {}
  std::unique_ptr<upstream::lb::LbPicker> makePicker(upstream::lb::LbWorker& worker) const override;
  bool localityWeighted() const override { return locality_weighted_; }

 private:
  const bool locality_weighted_;
};

}  // namespace sluice::extensions::load_balancing_policies::round_robin
