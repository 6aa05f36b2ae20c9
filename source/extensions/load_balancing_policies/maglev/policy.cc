#include "source/extensions/load_balancing_policies/maglev/policy.h"

#include <algorithm>
#include <numeric>

#include "source/base/xx_hash.h"

namespace sluice::extensions::load_balancing_policies::maglev {
namespace {

using upstream::lb::HashTier;

constexpr uint32_t kFree = UINT32_MAX;

// A host that looks for places: every place of the table once, in its own order.
struct Chooser {
  Chooser(uint32_t its_member, const HashTier::Member& host, uint64_t size)
      : member(its_member),
        weight(host.weight),
        place(base::xxHash64(host.key) % size),
        step(base::xxHash64(host.key, 1) % (size - 1) + 1) {}

  uint32_t member;
  double weight;
  double waits_for = 0;  // its turn comes when the weight of all turns so far has reached this
  uint64_t place;
  uint64_t step;
};

// In the order of their keys, so that the order of the configuration does not matter.
std::vector<Chooser> choosers(const HashTier& tier, uint64_t size) {
  std::vector<uint32_t> order(tier.members.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return tier.members[a].key < tier.members[b].key; });
  std::vector<Chooser> out;
  out.reserve(order.size());
  for (const uint32_t member : order) out.emplace_back(member, tier.members[member], size);
  return out;
}

std::vector<uint32_t> fill(const HashTier& tier, uint64_t size) {
  std::vector<Chooser> hosts = choosers(tier, size);
  std::vector<uint32_t> table(size, kFree);
  uint64_t taken = 0;
  for (uint32_t round = 1; taken < size; ++round) {
    for (Chooser& host : hosts) {
      // The heaviest takes a place in each round, one of half its weight in every other.
      if (round * host.weight < host.waits_for) continue;
      host.waits_for += tier.greatest_weight;
      while (table[host.place] != kFree) host.place = (host.place + host.step) % size;
      table[host.place] = host.member;
      if (++taken == size) break;
    }
  }
  return table;
}

}  // namespace

PlaceTable::PlaceTable(const HashTier& tier, const Settings& settings) : size_(settings.table_size) {
  std::vector<uint32_t> table = fill(tier, size_);
  if (tier.members.size() <= size_t{UINT16_MAX} + 1) {
    small_.assign(table.begin(), table.end());
  } else {
    large_ = std::move(table);
  }
}

}  // namespace sluice::extensions::load_balancing_policies::maglev
