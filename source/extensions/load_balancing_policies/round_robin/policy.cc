#include "source/extensions/load_balancing_policies/round_robin/policy.h"

#include <cstdint>
#include <vector>

#include "source/upstream/lb/tiered_picker.h"

namespace sluice::extensions::load_balancing_policies::round_robin {
namespace {

using upstream::cluster::HostSet;
using upstream::cluster::HostSlot;

struct State {
  uint64_t next = 0;                   // equal weights
  upstream::lb::EdfSchedule schedule;  // unequal weights
};

class Picker final : public upstream::lb::TieredPicker<Picker, State> {
 public:
  using TieredPicker::TieredPicker;

  void prepare(Group& group, const upstream::lb::LbTables*, size_t, size_t) {
    group.next = worker_.random.below(group.hosts->members.size());
    if (!group.hosts->equal_weights) scheduleByWeight(group.schedule, *group.hosts);
  }

  HostSlot pickFrom(Group& group, const upstream::lb::LbContext&) {
    const std::vector<HostSet::Member>& members = group.hosts->members;
    if (!group.hosts->equal_weights) {
      const HostSet::Member& member = members[group.schedule.top()];
      group.schedule.reschedule(1.0 / member.weight);
      return member.slot;
    }
    const HostSlot slot = members[group.next].slot;
    if (++group.next == members.size()) group.next = 0;
    return slot;
  }
};

}  // namespace

std::unique_ptr<upstream::lb::LbPicker> Policy::makePicker(upstream::lb::LbWorker& worker) const {
  return std::make_unique<Picker>(worker);
}

}  // namespace sluice::extensions::load_balancing_policies::round_robin
