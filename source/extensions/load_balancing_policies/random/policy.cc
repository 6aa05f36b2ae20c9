#include "source/extensions/load_balancing_policies/random/policy.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "source/upstream/lb/tiered_picker.h"

namespace sluice::extensions::load_balancing_policies::random {
namespace {

using upstream::cluster::HostSet;
using upstream::cluster::HostSlot;

// Sums of weights up to and with each member of a group.
using Sums = std::vector<uint64_t>;

struct Tables final : upstream::lb::LbTables {
  std::vector<std::vector<Sums>> by_tier;  // and group; empty for members of equal weight
};

Sums sumsOf(const HostSet::Group& group) {
  Sums sums;
  if (group.equal_weights) return sums;
  sums.reserve(group.members.size());
  uint64_t sum = 0;
  for (const HostSet::Member& member : group.members) sums.push_back(sum += member.weight);
  return sums;
}

struct State {
  const Sums* sums = nullptr;  // of Tables
};

class Picker final : public upstream::lb::TieredPicker<Picker, State> {
 public:
  using TieredPicker::TieredPicker;

  void prepare(Group& group, const upstream::lb::LbTables* tables, size_t tier, size_t index) {
    group.sums = &static_cast<const Tables*>(tables)->by_tier[tier][index];
  }

  HostSlot pickFrom(Group& group, const upstream::lb::LbContext&) {
    const std::vector<HostSet::Member>& members = group.hosts->members;
    if (group.hosts->equal_weights) return members[worker_.random.below(members.size())].slot;
    const uint64_t point = worker_.random.below(group.sums->back());
    const auto at = std::upper_bound(group.sums->begin(), group.sums->end(), point);
    return members[static_cast<size_t>(at - group.sums->begin())].slot;
  }
};

}  // namespace

std::shared_ptr<const upstream::lb::LbTables> Policy::build(const HostSet& hosts) const {
  auto tables = std::make_shared<Tables>();
  for (const HostSet::Tier& tier : hosts.allTiers()) {
    std::vector<Sums>& groups = tables->by_tier.emplace_back();
    for (const HostSet::Group& group : tier.groups) groups.push_back(sumsOf(group));
  }
  return tables;
}

std::unique_ptr<upstream::lb::LbPicker> Policy::makePicker(upstream::lb::LbWorker& worker) const {
  return std::make_unique<Picker>(worker);
}

}  // namespace sluice::extensions::load_balancing_policies::random
