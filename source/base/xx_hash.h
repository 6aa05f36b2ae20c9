// XXH64, the 64-bit xxHash: the hash that Envoy chooses hosts by, so that both choose the same.
//
// Not for tables of what clients send: its seed is known. (https://github.com/Cyan4973/xxHash, doc/xxhash_spec.md)
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace sluice::base {

namespace xx {

inline constexpr uint64_t kPrime1 = 0x9e3779b185ebca87u;
inline constexpr uint64_t kPrime2 = 0xc2b2ae3d27d4eb4fu;
inline constexpr uint64_t kPrime3 = 0x165667b19e3779f9u;
inline constexpr uint64_t kPrime4 = 0x85ebca77c2b2ae63u;
inline constexpr uint64_t kPrime5 = 0x27d4eb2f165667c5u;

static_assert(std::endian::native == std::endian::little, "words are read as they lie in memory");

template <typename Word>
Word wordAt(const char* at) {
  Word word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

inline uint64_t round(uint64_t lane, uint64_t word) {
  return std::rotl(lane + word * kPrime2, 31) * kPrime1;
}

// What 32-byte stripes make of four lanes.
inline uint64_t stripes(const char*& at, const char* end, uint64_t seed) {
  uint64_t lanes[] = {seed + kPrime1 + kPrime2, seed + kPrime2, seed, seed - kPrime1};
  for (; end - at >= 32; at += 32) {
    for (int i = 0; i < 4; ++i) lanes[i] = round(lanes[i], wordAt<uint64_t>(at + 8 * i));
  }
  uint64_t hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) + std::rotl(lanes[3], 18);
  for (const uint64_t lane : lanes) hash = (hash ^ round(0, lane)) * kPrime1 + kPrime4;
  return hash;
}

inline uint64_t avalanche(uint64_t hash) {
  hash = (hash ^ (hash >> 33)) * kPrime2;
  hash = (hash ^ (hash >> 29)) * kPrime3;
  return hash ^ (hash >> 32);
}

}  // namespace xx

inline uint64_t xxHash64(std::string_view text, uint64_t seed = 0) {
  const char* at = text.data();
  const char* const end = at + text.size();
  uint64_t hash = text.size() >= 32 ? xx::stripes(at, end, seed) : seed + xx::kPrime5;
  hash += text.size();
  for (; end - at >= 8; at += 8) {
    hash = std::rotl(hash ^ xx::round(0, xx::wordAt<uint64_t>(at)), 27) * xx::kPrime1 + xx::kPrime4;
  }
  if (end - at >= 4) {
    hash = std::rotl(hash ^ xx::wordAt<uint32_t>(at) * xx::kPrime1, 23) * xx::kPrime2 + xx::kPrime3;
    at += 4;
  }
  for (; at != end; ++at) {
    hash = std::rotl(hash ^ static_cast<unsigned char>(*at) * xx::kPrime5, 11) * xx::kPrime1;
  }
  return xx::avalanche(hash);
}

}  // namespace sluice::base
