// The hash of a password, as files of htpasswd have them.
// Thread: immutable, any.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "source/extensions/filters/http/basic_auth/argon2_hash.h"

namespace sluice::extensions::http_filters::basic_auth {

class PasswordHash {
 public:
  // {SHA}, bcrypt ($2a$, $2b$, $2y$), sha512crypt ($6$), scrypt ($7$), yescrypt ($y$) or Argon2id ($argon2id$).
  // nullopt: it is none of them, is not whole, or would take many seconds.
  static std::optional<PasswordHash> parse(std::string_view text);

  // Trying a password takes milliseconds or more, and some memory.
  bool isSlow() const { return !std::holds_alternative<Sha1>(hash_); }
  // In a time that says nothing of how much of it is right.
  bool matches(std::string_view password) const;

 private:
  using Sha1 = std::array<uint8_t, 20>;
  using Crypt = std::string;  // as crypt(3) knows it
  using Hash = std::variant<Sha1, Crypt, Argon2Hash>;

  explicit PasswordHash(Hash hash) : hash_(std::move(hash)) {}

  Hash hash_;
};

}  // namespace sluice::extensions::http_filters::basic_auth
