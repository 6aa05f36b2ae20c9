// What the results of checks make of one host, and when it is checked again. No I/O, no clock.
//
// The first result counts at once, unless the host served before it was checked. A host that answers that it is not
// well is unhealthy at once, too; other failures count up to unhealthy_threshold. (docs: Envoy, "Health checking")
#pragma once

#include <chrono>
#include <cstdint>

#include "source/base/random.h"
#include "source/upstream/cluster/health_check_config.h"

namespace sluice::upstream::health {

class CheckState {
 public:
  using Millis = std::chrono::milliseconds;
  using Config = cluster::HealthCheckConfig;

  // `pending`: it is unhealthy until the first result.
  CheckState(const Config& config, bool pending, bool unhealthy)
      : config_(&config), first_(pending), unhealthy_(unhealthy) {}
  // Streaks go on.
  void setConfig(const Config& config) { config_ = &config; }

  // True if the host became healthy, or unhealthy.
  bool passed();
  bool failed(bool at_once);

  bool first() const { return first_; }
  bool unhealthy() const { return unhealthy_; }

  Millis untilFirst(base::Random& random) const;
  // After passed() or failed(). `traffic`: the cluster ever had a connection.
  Millis untilNext(bool traffic, base::Random& random) const;

 private:
  const Config* config_;
  uint32_t good_ = 0, bad_ = 0;  // in a row, while the host is not so
  bool first_;                   // no result came
  bool unhealthy_;
};

}  // namespace sluice::upstream::health
