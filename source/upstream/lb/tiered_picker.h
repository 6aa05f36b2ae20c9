// The part of a picker that is common to policies which take one member of one group: it chooses the tier by its share
// of the traffic and the group (a locality) by its weight, and counts panic and routing by zones.
//
//   class Picker final : public TieredPicker<Picker, State> {
//     // Other hosts: what is to be kept for one group of them. `tables`: as LbPolicy::build() made them; `tier`: an
//     // index of HostSet::allTiers().
//     void prepare(Group& group, const LbTables* tables, size_t tier, size_t index);
//     HostSlot pickFrom(Group& group, const LbContext& context);
//   };
//
// O(1) with one tier of one group, O(log n) in the number of groups else. A policy may say where in the shares a
// choice falls by a tierPoint() of its own.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "source/upstream/lb/edf_schedule.h"
#include "source/upstream/lb/policy.h"
#include "source/upstream/lb/tier_choice.h"

namespace sluice::upstream::lb {

template <typename Derived, typename State>
class TieredPicker : public LbPicker {
 public:
  // The hosts of one group, never none, and what the policy keeps for them.
  struct Group : State {
    const cluster::HostSet::Group* hosts = nullptr;
  };

  explicit TieredPicker(LbWorker& worker) : worker_(worker) {}

  void update(const PreparedHosts& hosts) final {
    tiers_.clear();
    tiers_.reserve(hosts.set->allTiers().size());
    for (const cluster::HostSet::Tier& tier : hosts.set->allTiers()) {
      Tier& state = tiers_.emplace_back();
      state.percent = tier.percent;
      state.availability = tier.availability;
      state.priority = tier.priority;
      state.panic = tier.panic;
      state.fails = tier.fails;
      state.groups.resize(tier.groups.size());
      for (uint32_t i = 0; i < tier.groups.size(); ++i) {
        state.groups[i].hosts = &tier.groups[i];
        derived().prepare(state.groups[i], hosts.tables.get(), tiers_.size() - 1, i);
        if (tier.groups.size() > 1) {
          state.schedule.add(i, worker_.random.fraction() / tier.groups[i].weight);
        }
      }
    }
  }

  cluster::HostSlot pick(const LbContext& context) final {
    if (tiers_.empty()) return cluster::kNoHost;
    const bool one = tiers_.front().percent == 100 && context.passed_over == nullptr;
    Tier& tier =
        one ? tiers_.front() : chooseTier(std::span(tiers_), derived().tierPoint(context), context.passed_over);
    if (tier.panic) {
      worker_.notePanic(context);
      if (tier.fails) return cluster::kNoHost;
    }
    Group& group = nextGroup(tier);
    if (group.hosts->route != cluster::ZoneRoute::kNone) {
      worker_.stats.zones.countChoice(group.hosts->route, worker_.cells);
      if (group.hosts->fails) return cluster::kNoHost;
    }
    return derived().pickFrom(group, context);
  }

 protected:
  // From 0 to 99.
  uint64_t tierPoint(const LbContext&) { return worker_.random.below(100); }

  // Every member once, at a random place in its first cycle. `factor(index)`: of the weight of that member.
  template <typename Factor>
  void scheduleByWeight(EdfSchedule& schedule, const cluster::HostSet::Group& group, Factor factor) {
    schedule.reserve(group.members.size());
    for (uint32_t i = 0; i < group.members.size(); ++i) {
      schedule.add(i, worker_.random.fraction() / (group.members[i].weight * factor(i)));
    }
  }

  LbWorker& worker_;

 private:
  struct Tier {
    uint32_t percent = 0;
    uint32_t availability = 0;
    uint32_t priority = 0;
    bool panic = false;
    bool fails = false;
    std::vector<Group> groups;
    EdfSchedule schedule;  // of the groups, if they are more than one
  };

  Derived& derived() { return static_cast<Derived&>(*this); }

  Group& nextGroup(Tier& tier) {
    if (tier.groups.size() == 1) return tier.groups.front();
    Group& group = tier.groups[tier.schedule.top()];
    tier.schedule.reschedule(1.0 / group.hosts->weight);
    return group;
  }

  std::vector<Tier> tiers_;
};

}  // namespace sluice::upstream::lb
