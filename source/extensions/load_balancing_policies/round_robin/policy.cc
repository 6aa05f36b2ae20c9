#include "source/extensions/load_balancing_policies/round_robin/policy.h"

#include <cstdint>
#include <vector>

#include "source/upstream/lb/slow_start.h"
#include "source/upstream/lb/tiered_picker.h"

namespace sluice::extensions::load_balancing_policies::round_robin {
namespace {

using upstream::cluster::HostSet;
using upstream::cluster::HostSlot;

struct State {
  uint64_t next = 0;                   // equal weights
  upstream::lb::EdfSchedule schedule;  // unequal weights, or slow starters
  upstream::lb::SlowStarters slow;
};

class Picker final : public upstream::lb::TieredPicker<Picker, State> {
 public:
  Picker(upstream::lb::LbWorker& worker, const upstream::lb::SlowStart& slow_start)
      : TieredPicker(worker), slow_start_(slow_start) {}

  void prepare(Group& group, const upstream::lb::LbTables* tables, size_t tier, size_t index) {
    group.next = worker_.random.below(group.hosts->members.size());
    group.slow.prepare(slow_start_, tables, tier, index);
    if (!group.hosts->equal_weights || group.slow.any(worker_.timers.now())) {
      scheduleByWeight(group.schedule, *group.hosts, [&](uint32_t member) { return factor(group, member); });
    }
  }

  HostSlot pickFrom(Group& group, const upstream::lb::LbContext&) {
    const std::vector<HostSet::Member>& members = group.hosts->members;
    if (!group.hosts->equal_weights || group.slow.any(worker_.timers.now())) {
      const uint32_t at = group.schedule.top();
      const HostSet::Member& member = members[at];
      group.schedule.reschedule(1.0 / (member.weight * factor(group, at)));
      return member.slot;
    }
    const HostSlot slot = members[group.next].slot;
    if (++group.next == members.size()) group.next = 0;
    return slot;
  }

 private:
  double factor(const Group& group, size_t member) const {
    return group.slow.factor(slow_start_, member, worker_.timers.now());
  }

  const upstream::lb::SlowStart& slow_start_;
};

}  // namespace

std::unique_ptr<upstream::lb::LbPicker> Policy::makePicker(upstream::lb::LbWorker& worker) const {
  return std::make_unique<Picker>(worker, slow_start_);
}

}  // namespace sluice::extensions::load_balancing_policies::round_robin
