// The monitors of the hosts of one cluster, found by the identity of the host: a host that an update keeps, or that a
// changed configuration has as well, has the same one. Here those who watch hosts tell what they see.
//
// What they tell in one turn of the loop has one effect, at its end: the set of hosts is built anew, once. Thread:
// main.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "source/event/loop.h"
#include "source/upstream/cluster/host.h"

namespace sluice::upstream::cluster {

class HostMonitors : private event::TurnTask {
 public:
  // `on_flips`: at the end of a turn in which the health of a host became another.
  HostMonitors(event::Loop& loop, std::function<void()> on_flips) : loop_(loop), on_flips_(std::move(on_flips)) {}

  // That of the host which the endpoint, with an address, gives; a new one if no host has it any more.
  std::shared_ptr<HostMonitor> of(const Endpoint& endpoint);

  // From now on a host that is new waits for its first check, and is unhealthy until then; or nobody waits any more,
  // whichever generation of the cluster it is of.
  void expectChecks(bool expected);

  // kHealthy: no objection (any more). `reason`: for people.
  void set(const Host& host, HealthInput input, Health opinion, std::string reason = {}) {
    HostMonitor& monitor = host.monitor();
    monitor.explain(input, std::move(reason));
    const bool failed = monitor.opinion(input) >= Health::kUnhealthy;
    bool changed = false;
    if (input == HealthInput::kActiveCheck && opinion < Health::kUnhealthy) {
      if (failed) monitor.enterService(loop_.now());
      changed = monitor.letIn();
    }
    if (monitor.set(input, opinion) || changed) loop_.atTurnEnd(*this);
  }
  // It failed because it asked to; see HostMonitor::excluded().
  void exclude(const Host& host) {
    host.monitor().exclude();
    loop_.atTurnEnd(*this);
  }

  // Something else about a host changed that a set of hosts shows.
  void changed() { loop_.atTurnEnd(*this); }

  // Those that are remembered, some of which may be of no host any more.
  size_t size() const { return known_.size(); }

 private:
  void runAtTurnEnd() override { on_flips_(); }
  void forgetUnused();

  event::Loop& loop_;
  const std::function<void()> on_flips_;
  std::unordered_multimap<size_t, std::weak_ptr<HostMonitor>> known_;  // by the hash of the identity
  bool checks_expected_ = false;
  size_t forget_at_ = 64;  // entries
};

}  // namespace sluice::upstream::cluster
