// The priorities of the attempts before, every so many attempts.
// (proto: envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig)
#pragma once

#include "source/route/retry_policy.h"

namespace sluice::extensions::retry::priority::previous_priorities {

class Priority : public route::RetryPriority {
 public:
  // After each `update_frequency` attempts, 1 or more, more priorities may be passed over.
  explicit Priority(size_t update_frequency) : update_frequency_(update_frequency) {}

  base::PrioritySet passedOver(std::span<const uint8_t> tried) const override {
    base::PrioritySet out;
    for (const uint8_t priority : tried.first(tried.size() - tried.size() % update_frequency_)) out.set(priority);
    return out;
  }

 private:
  const size_t update_frequency_;
};

}  // namespace sluice::extensions::retry::priority::previous_priorities
