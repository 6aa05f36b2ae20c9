// ROUND_ROBIN: hosts of equal weight in turn, others by earliest deadline first, which follows the weights and spreads
// them evenly. Each worker begins at another host.
#pragma once

#include <memory>
#include <optional>

#include "source/upstream/lb/policy.h"
#include "source/upstream/lb/slow_start.h"

namespace sluice::extensions::load_balancing_policies::round_robin {

class Policy final : public upstream::lb::LbPolicy {
 public:
  explicit Policy(bool locality_weighted = false, const upstream::lb::SlowStart& slow_start = {},
                  bool fails_on_panic = false, std::optional<upstream::cluster::ZoneAware> zones = {})
      : locality_weighted_(locality_weighted),
        fails_on_panic_(fails_on_panic),
        zones_(zones),
        slow_start_(slow_start) {}
  std::shared_ptr<const upstream::lb::LbTables> build(const upstream::cluster::HostSet& hosts) const override {
    return upstream::lb::SlowStartTables::of(slow_start_, hosts);
  }
  std::unique_ptr<upstream::lb::LbPicker> makePicker(upstream::lb::LbWorker& worker) const override;
  bool choosesAhead() const override { return true; }
  bool localityWeighted() const override { return locality_weighted_; }
  bool failsOnPanic() const override { return fails_on_panic_; }
  std::optional<upstream::cluster::ZoneAware> zoneAware() const override { return zones_; }
  const upstream::lb::SlowStart& slowStart() const { return slow_start_; }

 private:
  const bool locality_weighted_;
  const bool fails_on_panic_;
  const std::optional<upstream::cluster::ZoneAware> zones_;
  const upstream::lb::SlowStart slow_start_;
};

}  // namespace sluice::extensions::load_balancing_policies::round_robin
