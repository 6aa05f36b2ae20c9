// Ejects hosts of one cluster for what became of requests to them, and lets them in again.
//
// Workers tell of failures in a row (OutlierReports) and count answers (HostStats); rates are compared here, once an
// interval. An ejection lasts base_ejection_time, and longer by as much each time; it ends with the first interval
// after that, or by an active check that passes. An interval without an ejection takes one step of that back, of which
// there are no more than max_ejection_time has. An ejected host whose cluster changes its configuration stays ejected.
// Thread: main.
//
// (proto: envoy.config.cluster.v3.OutlierDetection; stats: cluster.NAME.outlier_detection.*)
#pragma once

#include <array>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "source/base/random.h"
#include "source/event/loop.h"
#include "source/observability/stats.h"
#include "source/upstream/cluster/host_monitors.h"
#include "source/upstream/cluster/host_set.h"
#include "source/upstream/cluster/outlier_config.h"
#include "source/upstream/health/event_log.h"

namespace sluice::upstream::health {

class OutlierDetector {
 public:
  using ConfigPtr = std::shared_ptr<const cluster::OutlierConfig>;

  // All of it outlives the detector.
  struct World {
    event::Loop& loop;
    observability::StatsCells& cells;
    EventLog log = {};
    uint64_t seed = 1;
  };
  // `scope`: "cluster.NAME.".
  OutlierDetector(World world, std::string cluster, ConfigPtr config, cluster::HostMonitors& monitors,
                  observability::Scope scope);
  // Nobody stays ejected.
  ~OutlierDetector();
  OutlierDetector(const OutlierDetector&) = delete;
  OutlierDetector& operator=(const OutlierDetector&) = delete;

  void setConfig(ConfigPtr config);
  // The hosts of now. What is known of one that left goes.
  void setHosts(const cluster::HostSet& hosts);
  // A worker saw so many failures in a row. The host may have left meanwhile.
  void detected(const cluster::HostMonitor& host, cluster::Detection what);
  // It passed an active check, and is healthy by those.
  void checkPassed(const cluster::HostMonitor& host);

  // Of the last interval, in percent; -1: not known. (admin: success_rate and its kin)
  struct Rates {
    double success = -1, local_success = -1;
  };
  Rates ratesOf(const cluster::HostMonitor& host) const;
  // Below which a success rate of the last interval was too low.
  Rates thresholds() const { return thresholds_; }
  size_t ejected() const { return ejected_; }

 private:
  // Counts so far.
  struct Counts {
    uint64_t good = 0, bad = 0;
  };
  enum Origin : uint8_t { kAnswers, kLocal };
  struct Watched {
    cluster::HostPtr host;
    bool ejected = false;
    uint32_t backoff = 0;    // ejections that the next one is longer by
    uint32_t ejections = 0;  // so far
    event::TimePoint since{};
    event::Duration lasts{};
    event::TimePoint last_change{};
    std::array<Counts, 2> counted{};  // by Origin: at the last interval
    Rates rates;
  };
  struct Rate {
    Watched* host;
    double success;  // percent
    uint64_t requests;
  };

  void onInterval();
  void endIfOver(Watched& host);
  void judgeRates(Origin origin);
  std::vector<Rate> takeRates(Origin origin);
  void judgeSuccess(Origin origin, const std::vector<Rate>& rates);
  void judgeFailures(Origin origin, const std::vector<Rate>& rates);
  void consider(Watched& host, cluster::Detection what, double rate = -1);
  bool roomForOne() const;
  void eject(Watched& host, cluster::Detection what, double rate);
  void readmit(Watched& host, bool by_check);
  void logEjection(const Watched& host, cluster::Detection what, double rate, bool enforced);
  void logReadmission(const Watched& host);
  EventLine lineOf(const Watched& host) const;
  void note(Watched& host, std::string why);

  const World world_;
  const std::string cluster_;
  ConfigPtr config_;
  cluster::HostMonitors& monitors_;
  base::Random random_;
  std::unordered_map<const cluster::HostMonitor*, Watched> hosts_;
  size_t ejected_ = 0;
  Rates thresholds_;
  struct Counters {
    observability::Counter detected, enforced;
  };
  observability::Scope scope_;
  observability::Gauge active_;
  observability::Counter enforced_total_, overflow_;
  std::array<Counters, cluster::kDetections> counters_;
  event::Timer timer_;
};

}  // namespace sluice::upstream::health
