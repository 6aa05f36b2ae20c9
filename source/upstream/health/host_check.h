// The checks of one host, one after the other. Thread: main.
#pragma once

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
  virtual const CheckStats& stats() const = 0;
  virtual base::Random& random() = 0;
  // The cluster ever had a connection.
  virtual bool hadTraffic() const = 0;
  // A check is over.
  struct Checked {
    cluster::Health health;  // by checks
    std::string reason;      // for people
    bool passed;             // the check, and the host is healthy or degraded
    bool first;
    bool excluded;  // the host asked to be failed
  };
  virtual void onChecked(const cluster::Host& host, const Checked& checked) = 0;
};

class HostCheck {
 public:
  // Its first check is on the way when this returns. `owner` outlives it.
  HostCheck(cluster::HostPtr host, const cluster::EndpointCheck& endpoint, CheckOwner& owner);
  HostCheck(const HostCheck&) = delete;
  HostCheck& operator=(const HostCheck&) = delete;

  const cluster::HostPtr& host() const { return host_; }
  const cluster::EndpointCheck& endpoint() const { return endpoint_; }
  bool pending() const { return state_.first(); }
  // The host asked for it in an answer to a request. The next check comes when it would have come.
  void failNow();
  // The owner has another configuration: the next check is within its interval, the first one at once.
  void configChanged();

 private:
  const cluster::HealthCheckConfig& check() const { return *owner_.config()->health_check; }
  void makeProbe();
  void begin();
  void onResult(const CheckResult& result);
  void onTimeout();
  void over(const CheckResult& result);
  void take(const CheckResult& result);
  void count(const CheckResult& result) const;
  void log(const CheckResult& result, bool first, bool changed, bool was_degraded) const;
  void write(EventLine event, std::string_view name) const;

  const cluster::HostPtr host_;
  const cluster::EndpointCheck endpoint_;
  CheckOwner& owner_;
  CheckState state_;
  bool degraded_ = false;
  std::unique_ptr<Probe> probe_;
  event::Timer next_, timeout_;
};

}  // namespace sluice::upstream::health
