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
  ahead_.clear();
  ahead_count_ = 0;
  worker_.hosts.update(hosts.set);
  picker_->update(hosts);
  prepared_ = std::move(hosts);  // last: what the picker had lives until now
}

HostSlot Balancer::lookAhead() {
  if (ahead_count_ >= hosts().set().hostCount()) return kNoHost;
  const LbContext nobodys;
  const HostSlot slot = picker_->pick(nobodys);
  if (slot == kNoHost) return kNoHost;
  ahead_.push_back({slot, nobodys.panicked});
  ++ahead_count_;
  return slot;
}

// A choice among some priorities only was not made ahead.
HostSlot Balancer::next(const LbContext& context) {
  if (ahead_count_ == 0 || context.passed_over != nullptr) return picker_->pick(context);
  const Ahead first = ahead_.front();
  ahead_.pop_front();
  --ahead_count_;
  context.panicked = context.panicked || first.panicked;
  return first.slot;
}

HostSlot Balancer::pickWithWishes(const LbContext& context) {
  if (context.override_host != nullptr) {
    const HostSlot slot = hosts().set().availableAt(context.override_host->address);
    if (slot != kNoHost || context.override_host->strict) return slot;
  }
  context.repicked = 0;
  HostSlot slot = next(context);
  while (context.repicked < context.repicks && slot != kNoHost && context.refuses(*hosts().hostPtr(slot))) {
    ++context.repicked;
    slot = next(context);
  }
  return slot;
}

}  // namespace sluice::upstream::lb
