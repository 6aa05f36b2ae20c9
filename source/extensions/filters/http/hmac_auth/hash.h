// Hashes by which requests are signed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::extensions::http_filters::hmac_auth {

enum class Hash : uint8_t { kSha1, kSha256, kSha384, kSha512 };

// "hmac-sha256"; nullopt: none of these.
std::optional<Hash> hashNamed(std::string_view name);

// The HMAC of `text` by `secret`. (RFC 2104)
std::string macOf(Hash hash, std::string_view secret, std::string_view text);

// Whether `signature` is that, in a time that does not tell how much of it is.
bool verifies(Hash hash, std::string_view secret, std::string_view text, std::string_view signature);

}  // namespace sluice::extensions::http_filters::hmac_auth
