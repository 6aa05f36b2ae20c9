// RANDOM: in proportion to the weights (Envoy ignores them here). The sums of weights that a choice is looked up in are
// shared by all workers.
#pragma once

#include <memory>
#include <optional>

#include "source/upstream/lb/policy.h"

namespace sluice::extensions::load_balancing_policies::random {

class Policy final : public upstream::lb::LbPolicy {
 public:
  explicit Policy(bool locality_weighted = false, bool fails_on_panic = false,
                  std::optional<upstream::cluster::ZoneAware> zones = {})
      : locality_weighted_(locality_weighted), fails_on_panic_(fails_on_panic), zones_(zones) {}
  std::shared_ptr<const upstream::lb::LbTables> build(const upstream::cluster::HostSet& hosts) const override;
  std::unique_ptr<upstream::lb::LbPicker> makePicker(upstream::lb::LbWorker& worker) const override;
  bool choosesAhead() const override { return true; }
  bool localityWeighted() const override { return locality_weighted_; }
  bool failsOnPanic() const override { return fails_on_panic_; }
  std::optional<upstream::cluster::ZoneAware> zoneAware() const override { return zones_; }

 private:
  const bool locality_weighted_;
  const bool fails_on_panic_;
  const std::optional<upstream::cluster::ZoneAware> zones_;
};

}  // namespace sluice::extensions::load_balancing_policies::random
