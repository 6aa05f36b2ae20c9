// Hosts in turn, by weights that follow from what they report of their load (LbPolicy::loadWeights, LoadObserver).
//
// Reports are written to the host's monitor, which all workers see; a picker reads them when it chooses and its weights
// are older than the update period, so that clusters without traffic cost nothing. Hosts without a weight have the
// median of the others of their group.
#pragma once

#include <chrono>
#include <memory>
#include <utility>

#include "source/upstream/lb/policy.h"
#include "source/upstream/lb/slow_start.h"

namespace sluice::extensions::load_balancing_policies::client_side_weighted_round_robin {

struct Settings {
  upstream::lb::LoadWeights::Settings weights = {};
  std::chrono::milliseconds update_period{1000};
  upstream::lb::SlowStart slow_start = {};
};

class Policy final : public upstream::lb::LbPolicy {
 public:
  explicit Policy(Settings settings) : settings_(std::move(settings)), weights_(settings_.weights) {}

  std::shared_ptr<const upstream::lb::LbTables> build(const upstream::cluster::HostSet& hosts) const override {
    return upstream::lb::SlowStartTables::of(settings_.slow_start, hosts);
  }
  std::unique_ptr<upstream::lb::LbPicker> makePicker(upstream::lb::LbWorker& worker) const override;
  const upstream::lb::LoadWeights* loadWeights() const override { return &weights_; }
  const Settings& settings() const { return settings_; }

 private:
  const Settings settings_;
  const upstream::lb::LoadWeights weights_;
};

}  // namespace sluice::extensions::load_balancing_policies::client_side_weighted_round_robin
