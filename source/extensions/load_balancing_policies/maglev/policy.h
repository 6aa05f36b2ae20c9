// MAGLEV: a table in which the hash of a request is a place. Hosts choose free places by turns, each in an order that
// the hashes of its key give, and as often as its weight says; so a host that goes leaves most of the others' places
// alone. The table is that of Envoy. (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer",
// section 3.4)
#pragma once

#include <cstdint>
#include <vector>

#include "source/upstream/lb/hashing_policy.h"

namespace sluice::extensions::load_balancing_policies::maglev {

struct Settings {
  upstream::lb::ConsistentHashing hashing;
  bool locality_weighted = false;
  uint64_t table_size = 65537;  // a prime
};

class PlaceTable {
 public:
  PlaceTable(const upstream::lb::HashTier& tier, const Settings& settings);

  uint32_t at(uint64_t hash, uint32_t attempt) const {
    if (attempt > 0) hash ^= uint64_t{0} - attempt;
    const uint64_t place = hash % size_;
    return small_.empty() ? large_[place] : small_[place];
  }

 private:
  uint64_t size_;
  // The member at each place. One of the two is empty: half the memory does for up to 65536 hosts.
  std::vector<uint16_t> small_;
  std::vector<uint32_t> large_;
};

class Policy final : public upstream::lb::HashingPolicy<PlaceTable, Settings> {
 public:
  using HashingPolicy::HashingPolicy;
};

}  // namespace sluice::extensions::load_balancing_policies::maglev
