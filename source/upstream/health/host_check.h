// The checks of one host by one health_check of its cluster, one after the other. Thread: main.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "source/base/random.h"
#include "source/event/loop.h"
#include "source/observability/stats.h"
#include "source/upstream/cluster/cluster_config.h"
#include "source/upstream/cluster/host_monitors.h"
#include "source/upstream/health/check_state.h"
#include "source/upstream/health/event_log.h"
#include "source/upstream/health/probe.h"

namespace sluice::upstream::health {

// What the checks of all hosts of a cluster share.
struct CheckWorld {
  event::Loop& loop;
  net::WorkerBuffers& buffers;
  observability::StatsCells& cells;
  EventLog log = {};
};

// (stats: cluster.NAME.health_check.*)
struct CheckStats {
  observability::Counter attempt, success, failure, network_failure, passive_failure, verify_cluster;
};

// What checks are made for, and who hears of them.
class CheckOwner {
 public:
  virtual ~CheckOwner() = default;
  virtual const std::shared_ptr<const cluster::ClusterConfig>& config() const = 0;
  virtual const CheckWorld& world() const = 0;
  // Of the cluster; and of one of its health_checks, null where there is but one.
  virtual const CheckStats& stats() const = 0;
  virtual const CheckStats* statsOf(size_t index) const = 0;
  virtual base::Random& random() = 0;
  // The cluster ever had a connection.
  virtual bool hadTraffic() const = 0;
  // A check is over, and the host is as well as all of them say.
  struct Checked {
    cluster::Health health;  // by checks
    std::string reason;      // for people
    bool passed;             // the check, and the host is healthy or degraded
    bool first;              // until now it was not known by all checks
    bool excluded;           // the host asked to be failed
  };
  virtual void onChecked(const cluster::Host& host, const Checked& checked) = 0;
};

class HostCheck {
 public:
  // What one check has come to.
  struct Outcome {
    bool passed;    // it, and as many in a row as are needed
    bool first;     // it is the first one
    bool excluded;  // the host asked to be failed
  };
  using OnOutcome = std::function<void(const Outcome&)>;

  // By the health_check of this `index`. `known`: what is known of the host's health. Its first check is on the way
  // when this returns. `owner` outlives it.
  HostCheck(cluster::HostPtr host, const cluster::EndpointCheck& endpoint, size_t index, cluster::Health known,
            CheckOwner& owner, OnOutcome on_outcome);
  HostCheck(const HostCheck&) = delete;
  HostCheck& operator=(const HostCheck&) = delete;

  bool pending() const { return state_.first(); }
  // By these checks, and why, for people.
  cluster::Health health() const { return health_; }
  const std::string& reason() const { return reason_; }
  // The host asked for it in an answer to a request. The next check comes when it would have come. `counted`: in what
  // is counted of the cluster.
  void failNow(bool counted);
  // The owner has another configuration: the next check is within its interval, the first one at once.
  void configChanged();

 private:
  const cluster::HealthCheckConfig& check() const { return *owner_.config()->health_checks[index_]; }
  const net::TransportFactory* transport() const;
  void makeProbe();
  void begin();
  void onResult(const CheckResult& result);
  void onTimeout();
  void over(const CheckResult& result);
  void take(const CheckResult& result);
  void count(const CheckResult& result, const CheckStats& stats) const;
  void log(const CheckResult& result, bool first, bool changed, bool was_degraded) const;
  void write(EventLine event, std::string_view name) const;

  const cluster::HostPtr host_;
  const cluster::EndpointCheck endpoint_;
  const size_t index_;
  CheckOwner& owner_;
  const OnOutcome on_outcome_;
  CheckState state_;
  cluster::Health health_;
  std::string reason_;
  bool degraded_;
  std::unique_ptr<Probe> probe_;
  event::Timer next_, timeout_;
};

}  // namespace sluice::upstream::health
