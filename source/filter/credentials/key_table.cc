#include "source/filter/credentials/key_table.h"

#include <openssl/mem.h>
#include <openssl/sha.h>

namespace sluice::filter {

KeyDigest digestOf(std::string_view key) {
  KeyDigest out;
  static_assert(std::tuple_size_v<KeyDigest> == SHA256_DIGEST_LENGTH);
  SHA256(reinterpret_cast<const uint8_t*>(key.data()), key.size(), out.data());
  return out;
}

std::optional<KeyDigest> digestFrom(std::string_view bytes) {
  KeyDigest out;
  if (bytes.size() != out.size()) return std::nullopt;
  std::memcpy(out.data(), bytes.data(), out.size());
  return out;
}

bool sameDigest(const KeyDigest& one, const KeyDigest& other) {
  return CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace sluice::filter
