#include "source/extensions/filters/listener/address_limit/counts.h"

#include <algorithm>
#include <string_view>

#include "source/base/entropy.h"
#include "source/base/xx_hash.h"

namespace sluice::extensions::listener_filters::address_limit {

AddressCounts::AddressCounts() : AddressCounts(base::drawSeed()) {}

uint64_t AddressCounts::hashOf(const net::IpBits& network) const {
  const uint64_t words[] = {network.high, network.low};
  return base::xxHash64({reinterpret_cast<const char*>(words), sizeof(words)}, seed_);
}

template <typename Visit>
void AddressCounts::eachCell(uint64_t hash, Visit visit) {
  for (Row& row : *cells_) {
    visit(row[hash & ((1u << kColumnBits) - 1)]);
    hash >>= kColumnBits;
  }
}

bool AddressCounts::take(const net::IpBits& network, uint32_t limit) {
  const uint64_t hash = hashOf(network);
  uint32_t before = UINT32_MAX;
  eachCell(hash, [&](auto& cell) { before = std::min(before, cell.fetch_add(1, std::memory_order_relaxed)); });
  if (before < limit) return true;
  give(network);
  return false;
}

void AddressCounts::give(const net::IpBits& network) {
  eachCell(hashOf(network), [](auto& cell) { cell.fetch_sub(1, std::memory_order_relaxed); });
}

}  // namespace sluice::extensions::listener_filters::address_limit
