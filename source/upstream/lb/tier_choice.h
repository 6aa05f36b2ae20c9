// Which tier a choice falls into: by their shares of the traffic or, for a retry that passes over priorities, by what
// those that are left could take.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "source/base/priority_set.h"

namespace sluice::upstream::lb {

// `Tier` has the members percent, availability and priority of HostSet::Tier; `tiers` are those of allTiers(), never
// none. `point`: 0 to 99.
template <typename Tier>
Tier& tierByShare(std::span<Tier> tiers, uint64_t point) {
  for (Tier& tier : tiers) {
    if (point < tier.percent) return tier;
    point -= tier.percent;
  }
  return tiers.front();
}

// As if there were no others than those of the other priorities: healthy hosts before degraded ones. Null: no host of
// them may get a request.
template <typename Tier>
Tier* tierOfOthers(std::span<Tier> tiers, const base::PrioritySet& passed_over, uint64_t point) {
  const auto stays = [&passed_over](const Tier& tier) { return !passed_over.test(tier.priority); };
  uint64_t sum = 0;
  for (const Tier& tier : tiers) sum += stays(tier) ? tier.availability : 0;
  if (sum == 0) return nullptr;
  sum = std::min<uint64_t>(sum, 100);
  Tier* first = nullptr;
  uint64_t left = 100;
  for (Tier& tier : tiers) {
    if (!stays(tier) || tier.availability == 0) continue;
    if (first == nullptr) first = &tier;
    const uint64_t share = std::min(left, tier.availability * 100 / sum);
    if (point < share) return &tier;
    point -= share;
    left -= share;
  }
  return first;  // what rounding left
}

template <typename Tier>
Tier& chooseTier(std::span<Tier> tiers, uint64_t point, const base::PrioritySet* passed_over) {
  if (passed_over != nullptr) [[unlikely]] {
    if (Tier* tier = tierOfOthers(tiers, *passed_over, point)) return *tier;
  }
  return tierByShare(tiers, point);
}

}  // namespace sluice::upstream::lb
