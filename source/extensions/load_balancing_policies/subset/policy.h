// Subsets: hosts of equal metadata under some keys, among which another policy chooses. Requests say by criteria
// (`metadata_match` of their routes, and what filters leave under "envoy.lb") which subset they belong to.
#pragma once

#include <memory>

#include "source/extensions/load_balancing_policies/subset/settings.h"
#include "source/upstream/lb/wrapping_policy.h"

namespace sluice::extensions::load_balancing_policies::subset {

class Policy final : public upstream::lb::WrappingPolicy {
 public:
  explicit Policy(Settings settings);
  ~Policy() override;

  std::shared_ptr<const upstream::lb::LbTables> build(const upstream::cluster::HostSet& hosts) const override;
  std::unique_ptr<upstream::lb::LbPicker> makePicker(upstream::lb::LbWorker& worker) const override;
  bool localityWeighted() const override { return settings_.locality_weight_aware && inner().localityWeighted(); }
  const Settings& settings() const { return settings_; }

 private:
  // Of the set of hosts before; main.
  struct Known;

  const Settings settings_;
  const std::unique_ptr<Known> known_;
};

}  // namespace sluice::extensions::load_balancing_policies::subset
