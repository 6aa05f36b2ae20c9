// What becomes of one worker's requests at the hosts of a cluster, for outlier detection: counts of each host for its
// rates, and its failures in a row, which are told to main when they reach the configured number.
//
// A success costs two loads and a store, as long as the host did not fail before. gRPC counts by its status if that is
// in the head of the response; one in trailers is not seen. Thread: the worker's.
#pragma once

#include <memory>

#include "source/upstream/attempt_observer.h"
#include "source/upstream/cluster/host.h"
#include "source/upstream/cluster/host_stats.h"
#include "source/upstream/cluster/outlier_config.h"

namespace sluice::upstream {

// Main's end. Called on workers.
class OutlierReports {
 public:
  virtual ~OutlierReports() = default;
  // So many failures in a row as detect an outlier.
  virtual void detected(const std::shared_ptr<cluster::HostMonitor>& host, cluster::Detection what) = 0;
};

class OutcomeObserver final : public AttemptObserver {
 public:
  // `reports` may be null: nobody is told.
  OutcomeObserver(std::shared_ptr<const cluster::OutlierConfig> config, std::shared_ptr<OutlierReports> reports)
      : config_(std::move(config)), reports_(std::move(reports)) {}

  void onAttemptBegin(const Attempt&) override {}
  void onAttemptHead(const Attempt& attempt) override;
  void onAttemptSlow(const Attempt& attempt) override { tooLate(attempt); }
  void onAttemptEnd(const Attempt& attempt, const AttemptEnd& end) override;

  // A connection for bytes. `answers`: onAnswer() and onNoAnswer() say how the host does (redis_proxy); else that it
  // connects is all that is known of it (tcp_proxy).
  void onConnected(const cluster::Host& host, cluster::HostStats::Row& row, bool answers = false);
  void onAnswer(const cluster::Host& host, cluster::HostStats::Row& row);
  void onNoAnswer(const cluster::Host& host, cluster::HostStats::Row& row, bool timed_out);
  void onConnectFailed(const cluster::Host& host, cluster::HostStats::Row& row, bool timed_out);

 private:
  // What is counted of one host, and by whom.
  struct Place {
    const cluster::Host& host;
    cluster::HostStats::Row& row;
  };
  Place placeOf(const Attempt& attempt) const;
  void tooLate(const Attempt& attempt);
  void answered(Place place, uint16_t status);
  void reached(Place place);
  void failed(Place place, uint16_t status);
  void count(Place place, std::atomic<uint32_t>& streak, uint32_t limit, cluster::Detection what);

  const std::shared_ptr<const cluster::OutlierConfig> config_;
  const std::shared_ptr<OutlierReports> reports_;
};

}  // namespace sluice::upstream
