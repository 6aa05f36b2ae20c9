#include "source/extensions/load_balancing_policies/least_request/policy.h"

#include <cmath>
#include <vector>

#include "source/upstream/lb/slow_start.h"
#include "source/upstream/lb/tiered_picker.h"

namespace sluice::extensions::load_balancing_policies::least_request {
namespace {

using upstream::cluster::HostSet;
using upstream::cluster::HostSlot;

struct State {
  upstream::lb::EdfSchedule schedule;  // unequal weights, or slow starters
  upstream::lb::SlowStarters slow;
};

class Picker final : public upstream::lb::TieredPicker<Picker, State> {
 public:
  Picker(upstream::lb::LbWorker& worker, const Settings& settings) : TieredPicker(worker), settings_(settings) {}

  void prepare(Group& group, const upstream::lb::LbTables* tables, size_t tier, size_t index) {
    group.slow.prepare(settings_.slow_start, tables, tier, index);
    if (!group.hosts->equal_weights || group.slow.any(worker_.timers.now())) {
      scheduleByWeight(group.schedule, *group.hosts, [&](uint32_t member) { return factor(group, member); });
    }
  }

  HostSlot pickFrom(Group& group, const upstream::lb::LbContext&) {
    const std::vector<HostSet::Member>& members = group.hosts->members;
    if (!group.hosts->equal_weights || group.slow.any(worker_.timers.now())) {
      const uint32_t at = group.schedule.top();
      const HostSet::Member& member = members[at];
      group.schedule.reschedule(cost(worker_.hosts.activeRequests(member.slot)) / (member.weight * factor(group, at)));
      return member.slot;
    }
    uint64_t bits = worker_.random.next();
    HostSlot best = members[placeOf(bits, members.size())].slot;
    for (uint32_t i = 1; i < settings_.choice_count; ++i) {
      // Each half of a random number is good for one.
      bits = i % 2 == 0 ? worker_.random.next() : bits << 32;
      const HostSlot other = members[placeOf(bits, members.size())].slot;
      if (worker_.hosts.activeRequests(other) < worker_.hosts.activeRequests(best)) best = other;
    }
    return best;
  }

 private:
  // By the upper half of the bits; slots have no more.
  static size_t placeOf(uint64_t bits, size_t size) { return ((bits >> 32) * size) >> 32; }

  double factor(const Group& group, size_t member) const {
    return group.slow.factor(settings_.slow_start, member, worker_.timers.now());
  }

  double cost(uint32_t active) const {
    if (settings_.active_request_bias == 1.0) return active + 1.0;
    if (settings_.active_request_bias == 0.0) return 1.0;
    return std::pow(active + 1.0, settings_.active_request_bias);
  }

  const Settings& settings_;
};

}  // namespace

std::unique_ptr<upstream::lb::LbPicker> Policy::makePicker(upstream::lb::LbWorker& worker) const {
  return std::make_unique<Picker>(worker, settings_);
}

}  // namespace sluice::extensions::load_balancing_policies::least_request
