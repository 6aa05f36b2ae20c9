// RING_HASH: each host stands at places of a ring of 64-bit numbers, by the hashes of its key with a number behind it,
// in proportion to its weight; a request goes to the host at the first place that is not before its hash. The places
// are those of Envoy.
#pragma once

#include <cstdint>
#include <vector>

#include "source/upstream/lb/hashing_policy.h"

namespace sluice::extensions::load_balancing_policies::ring_hash {

struct Settings {
  upstream::lb::ConsistentHashing hashing;
  bool locality_weighted = false;
  bool murmur = false;              // MurmurHash2 instead of xxHash, for the places
  uint64_t minimum_size = 1024;     // places, 1 or more
  uint64_t maximum_size = 8388608;  // places, not below the minimum
};

class Ring {
 public:
  Ring(const upstream::lb::HashTier& tier, const Settings& settings);

  // Flat in the number of places.
  uint32_t at(uint64_t hash, uint32_t attempt) const;

  size_t size() const { return places_.size(); }
  uint64_t place(size_t index) const { return places_[index]; }

 private:
  std::vector<uint64_t> places_;   // ascending
  std::vector<uint32_t> members_;  // of each place
  std::vector<uint32_t> starts_;   // where places begin whose upper bits are those of the index
  uint32_t shift_ = 63;            // to the upper bits
};

class Policy final : public upstream::lb::HashingPolicy<Ring, Settings> {
 public:
  using HashingPolicy::HashingPolicy;
};

}  // namespace sluice::extensions::load_balancing_policies::ring_hash
