// Localities by their weights, and in them another policy.
#pragma once

#include <optional>

#include "source/upstream/lb/wrapping_policy.h"

namespace sluice::extensions::load_balancing_policies::wrr_locality {

class Policy final : public upstream::lb::WrappingPolicy {
 public:
  using WrappingPolicy::WrappingPolicy;
  bool localityWeighted() const override { return true; }
  // Where localities have weights the other policy's zones say nothing.
  std::optional<upstream::cluster::ZoneAware> zoneAware() const override { return std::nullopt; }
};

}  // namespace sluice::extensions::load_balancing_policies::wrr_locality
