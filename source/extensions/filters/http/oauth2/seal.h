// What browsers keep for the filter, and carry to it: texts that only this proxy can read and make.
//
// The keys are made of one secret (HKDF, RFC 5869), one for each purpose of each client at a provider, so that no text
// of one is good for another. A text is sealed for a scope, the site whose cookie it is. Immutable; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::extensions::http_filters::oauth2 {

enum class Purpose : uint8_t {
  kBearerToken,
  kIdToken,
  kRefreshToken,
  kNonce,
  kVerifier,
  kState,
  kLogins,
  kMac,
  kCount
};

class Sealer {
 public:
  static constexpr size_t kMinSecret = 16;  // bytes

  // `client`: who it is at which provider.
  Sealer(std::string_view secret, std::string_view client);
  ~Sealer();
  Sealer(const Sealer&) = delete;
  Sealer& operator=(const Sealer&) = delete;

  // AES-256-GCM in base64url, a third longer than `text` and 38 bytes.
  std::string seal(Purpose purpose, std::string_view scope, std::string_view text) const;
  // nullopt: not made so.
  std::optional<std::string> open(Purpose purpose, std::string_view scope, std::string_view sealed) const;
  // HMAC-SHA256 in base64url, over parts of any length.
  std::string mac(std::string_view scope, std::initializer_list<std::string_view> parts) const;

 private:
  struct Keys;
  const std::unique_ptr<const Keys> keys_;
};

// `bytes` of the system's randomness, and the SHA-256 of a text, in base64url.
std::string randomText(size_t bytes);
std::string hashText(std::string_view text);

// Texts without NUL as one, and back; nullopt: there are not `N` of them.
std::string joined(std::initializer_list<std::string_view> parts);
template <size_t N>
std::optional<std::array<std::string, N>> parted(std::string_view text) {
  std::array<std::string, N> out;
  for (size_t i = 0; i < N; ++i) {
    const size_t end = text.find('\0');
    if ((end == std::string_view::npos) != (i + 1 == N)) return std::nullopt;
    out[i] = text.substr(0, end);
    if (i + 1 < N) text.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace sluice::extensions::http_filters::oauth2
