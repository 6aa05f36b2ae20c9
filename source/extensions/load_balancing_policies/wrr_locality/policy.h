// Localities by their weights, and in them another policy.
#pragma once

#include "source/upstream/lb/wrapping_policy.h"

namespace sluice::extensions::load_balancing_policies::wrr_locality {

class Policy final : public upstream::lb::WrappingPolicy {
 public:
  using WrappingPolicy::WrappingPolicy;
  bool localityWeighted() const override { return true; }
};

}  // namespace sluice::extensions::load_balancing_policies::wrr_locality
