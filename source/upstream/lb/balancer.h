// Chooses the host of the next request: one for each worker and cluster, over the cluster's policy.
//
// Thread: the worker that owns it. Only update() and lookAhead() allocate.
#pragma once

#include <deque>
#include <memory>

#include "source/upstream/lb/policy.h"

namespace sluice::upstream::lb {

class Balancer {
 public:
  // `policy`, which has prepared the hosts, outlives it; null: no host is ever chosen.
  Balancer(const LbPolicy* policy, LbWorker worker, PreparedHosts hosts);
  Balancer(const Balancer&) = delete;
  Balancer& operator=(const Balancer&) = delete;

  void update(PreparedHosts hosts);

  // A slot of hosts(), or kNoHost.
  cluster::HostSlot pick(const LbContext& context) {
    if (context.override_host != nullptr || context.repicks != 0 || ahead_count_ != 0) return pickWithWishes(context);
    return picker_->pick(context);
  }

  // The host that is chosen behind all those that were looked at before and not chosen since; for a policy that chooses
  // ahead. kNoHost: there is none, or as many were looked at as there are hosts. Another set of hosts forgets them.
  cluster::HostSlot lookAhead();

  HostTable& hosts() { return worker_.hosts; }
  const HostTable& hosts() const { return worker_.hosts; }

 private:
  // A choice that was made ahead.
  struct Ahead {
    cluster::HostSlot slot;
    bool panicked;
  };
  cluster::HostSlot pickWithWishes(const LbContext& context);
  cluster::HostSlot next(const LbContext& context);

  LbWorker worker_;
  PreparedHosts prepared_;
  const std::unique_ptr<LbPicker> picker_;
  uint32_t ahead_count_ = 0;
  std::deque<Ahead> ahead_;  // the next one first
};

}  // namespace sluice::upstream::lb
