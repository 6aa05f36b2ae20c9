// What belongs to a key, found by its SHA-256: the table does not hold keys, and asking it tells nothing of them by
// time. Thread: immutable once filled.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "absl/container/flat_hash_map.h"

namespace sluice::filter {

using KeyDigest = std::array<uint8_t, 32>;

// SHA-256.
KeyDigest digestOf(std::string_view key);
// The digest that these bytes are; nullopt: they are not 32.
std::optional<KeyDigest> digestFrom(std::string_view bytes);
// In constant time.
bool sameDigest(const KeyDigest& one, const KeyDigest& other);

namespace detail {

struct DigestHash {
  size_t operator()(const KeyDigest& digest) const {
    size_t first;
    std::memcpy(&first, digest.data(), sizeof(first));
    return first;
  }
};

struct SameDigest {
  bool operator()(const KeyDigest& one, const KeyDigest& other) const { return sameDigest(one, other); }
};

}  // namespace detail

template <typename Value>
using KeyTable = absl::flat_hash_map<KeyDigest, Value, detail::DigestHash, detail::SameDigest>;

}  // namespace sluice::filter
