// MurmurHash2 with 64 bits, as the hash functions of C++ libraries are that Envoy's name MURMUR_HASH_2 stands for.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace sluice::base {

inline constexpr uint64_t kMurmurSeed = 0xc70f6907u;

inline uint64_t murmurHash2(std::string_view text, uint64_t seed) {
  constexpr uint64_t kMultiplier = 0xc6a4a7935bd1e995u;
  const auto mixed = [](uint64_t word) { return word ^ (word >> 47); };
  uint64_t hash = seed ^ (text.size() * kMultiplier);
  for (; text.size() >= 8; text.remove_prefix(8)) {
    uint64_t word = 0;
    std::memcpy(&word, text.data(), 8);
    hash = (hash ^ mixed(word * kMultiplier) * kMultiplier) * kMultiplier;
  }
  if (!text.empty()) {
    uint64_t rest = 0;
    std::memcpy(&rest, text.data(), text.size());
    hash = (hash ^ rest) * kMultiplier;
  }
  return mixed(mixed(hash) * kMultiplier);
}

}  // namespace sluice::base
