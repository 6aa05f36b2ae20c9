#include "source/upstream/lb/balancer.h"

#include <utility>

namespace sluice::upstream::lb {

using cluster::HostSlot;
using cluster::kNoHost;

Balancer::Balancer(const LbPolicy* policy, LbWorker worker, PreparedHosts hosts)
    : worker_(std::move(worker)),
      picker_(policy != nullptr ? policy->makePicker(worker_) : std::make_unique<NoPicker>()) {
  update(std::move(hosts));
}

void Balancer::update(PreparedHosts hosts) {
  worker_.hosts.update(hosts.set);
  picker_->update(hosts);
  prepared_ = std::move(hosts);  // last: what the picker had lives until now
}

HostSlot Balancer::pickWithWishes(const LbContext& context) {
  if (context.override_host != nullptr) {
    const HostSlot slot = hosts().set().availableAt(context.override_host->address);
    if (slot != kNoHost || context.override_host->strict) return slot;
  }
  context.repicked = 0;
  HostSlot slot = picker_->pick(context);
  while (context.repicked < context.repicks && slot != kNoHost && context.refuses(*hosts().hostPtr(slot))) {
    ++context.repicked;
    slot = picker_->pick(context);
  }
  return slot;
}

}  // namespace sluice::upstream::lb
