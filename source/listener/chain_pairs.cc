#include "source/listener/chain_pairs.h"

namespace sluice::listener {

std::vector<std::optional<size_t>> pairChains(std::span<const FilterChain> before, std::span<const FilterChain> after) {
  std::vector<std::optional<size_t>> out;
  out.reserve(after.size());
  std::vector<bool> taken(before.size());
  for (const FilterChain& chain : after) {
    std::optional<size_t>& same = out.emplace_back();
    for (size_t i = 0; i < before.size() && !same; ++i) {
      if (taken[i] || before[i].content_hash != chain.content_hash) continue;
      taken[i] = true;
      same = i;
    }
  }
  return out;
}

}  // namespace sluice::listener
