// LEAST_REQUEST: of hosts of equal weight the one with the fewest active requests among `choice_count` random ones;
// others by earliest deadline first, where a request costs (active + 1) ^ active_request_bias / weight. Active requests
// are the worker's own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "source/upstream/lb/policy.h"
#include "source/upstream/lb/slow_start.h"

namespace sluice::extensions::load_balancing_policies::least_request {

struct Settings {
  uint32_t choice_count = 2;
  double active_request_bias = 1.0;
  bool locality_weighted = false;
  bool fails_on_panic = false;
  upstream::lb::SlowStart slow_start = {};
  std::optional<upstream::cluster::ZoneAware> zones = {};
};

class Policy final : public upstream::lb::LbPolicy {
 public:
  explicit Policy(const Settings& settings) : settings_(settings) {}
  std::shared_ptr<const upstream::lb::LbTables> build(const upstream::cluster::HostSet& hosts) const override {
    return upstream::lb::SlowStartTables::of(settings_.slow_start, hosts);
  }
  std::unique_ptr<upstream::lb::LbPicker> makePicker(upstream::lb::LbWorker& worker) const override;
  bool localityWeighted() const override { return settings_.locality_weighted; }
  bool failsOnPanic() const override { return settings_.fails_on_panic; }
  std::optional<upstream::cluster::ZoneAware> zoneAware() const override { return settings_.zones; }
  const Settings& settings() const { return settings_; }

 private:
  const Settings settings_;
};

}  // namespace sluice::extensions::load_balancing_policies::least_request
