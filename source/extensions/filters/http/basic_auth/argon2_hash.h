// A password's hash by Argon2id, as the argon2 tools write it. (RFC 9106)
// Thread: immutable, any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::extensions::http_filters::basic_auth {

class Argon2Hash {
 public:
  static constexpr std::string_view kPrefix = "$argon2id$";

  // "$argon2id$v=19$m=KIB,t=PASSES,p=LANES$SALT$HASH". nullopt: it is not that, or would take more than 256 MiB, 16
  // lanes or, of all passes, 1 GiB.
  static std::optional<Argon2Hash> parse(std::string_view text);

  // In a time that says nothing of how much of it is right. On this thread only, whatever the lanes.
  bool matches(std::string_view password) const;

 private:
  Argon2Hash() = default;

  uint32_t memory_ = 0;  // KiB
  uint32_t passes_ = 0;
  uint32_t lanes_ = 0;
  std::string salt_;
  std::string hash_;
};

}  // namespace sluice::extensions::http_filters::basic_auth
