// A hash of text that can be taken further: of "/a/b" from that of "/a/". For tables of configured text only.
//
// What is hashed in (routes) comes from the configuration and what is looked up comes from clients, who can cause a
// failed comparison at most, so the seed is fixed and lookups cost the same in every process.
#pragma once

#include <cstdint>
#include <cstring>

namespace sluice::route {

inline constexpr uint64_t kHashSeed = 0x9e3779b97f4a7c15u;

inline uint64_t mixHash(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// The hash `so_far` taken further by `size` bytes.
inline uint64_t extendHash(uint64_t so_far, const char* text, size_t size) {
  constexpr uint64_t kOdd = 0xa0761d6478bd642fu;
  uint64_t hash = so_far ^ size;
  uint64_t word = 0;
  while (size >= 8) {
    std::memcpy(&word, text, 8);
    hash = mixHash(hash ^ word, kOdd);
    text += 8;
    size -= 8;
  }
  word = 0;
  if (size >= 4) {
    uint32_t first = 0, last = 0;
    std::memcpy(&first, text, 4);
    std::memcpy(&last, text + size - 4, 4);
    word = uint64_t{first} << 32 | last;
  } else if (size > 0) {
    const auto byte = [text](size_t at) { return uint64_t{static_cast<unsigned char>(text[at])}; };
    word = byte(0) << 16 | byte(size / 2) << 8 | byte(size - 1);
  }
  return mixHash(hash ^ word, 0xe7037ed1a0b428dbu);
}

}  // namespace sluice::route
