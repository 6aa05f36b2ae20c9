// Chooses the host of the next request: one for each worker and cluster, over the cluster's policy.
//
// Thread: the worker that owns it. Only update() allocates.
#pragma once

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
    if (context.override_host != nullptr || context.repicks != 0) return pickWithWishes(context);
    return picker_->pick(context);
  }

  HostTable& hosts() { return worker_.hosts; }
  const HostTable& hosts() const { return worker_.hosts; }

 private:
  cluster::HostSlot pickWithWishes(const LbContext& context);

  LbWorker worker_;
  PreparedHosts prepared_;
  const std::unique_ptr<LbPicker> picker_;
};

}  // namespace sluice::upstream::lb
