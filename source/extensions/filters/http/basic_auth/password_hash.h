// The hash of a password, as files of htpasswd have them.
// Thread: immutable, any.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::extensions::http_filters::basic_auth {

class PasswordHash {
 public:
  // {SHA}, bcrypt ($2a$, $2b$, $2y$), sha512crypt ($6$), scrypt ($7$) or yescrypt ($y$). nullopt: it is none of them,
  // is not whole, or would take many seconds.
  static std::optional<PasswordHash> parse(std::string_view text);

  // Trying a password takes milliseconds or more, and some memory.
  bool isSlow() const { return !crypt_.empty(); }
  // In a time that says nothing of how much of it is right.
  bool matches(std::string_view password) const;

 private:
  PasswordHash() = default;

  std::array<uint8_t, 20> sha1_{};
  std::string crypt_;  // instead, as crypt(3) knows it
};

}  // namespace sluice::extensions::http_filters::basic_auth
