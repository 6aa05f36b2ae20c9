#include "source/extensions/filters/http/hmac_auth/hash.h"

#include <openssl/digest.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>

#include <array>
#include <cstddef>

namespace sluice::extensions::http_filters::hmac_auth {
namespace {

struct Known {
  std::string_view name;
  const EVP_MD* (*digest)();
};

// By Hash.
constexpr std::array<Known, 4> kKnown = {{
    {"hmac-sha1", EVP_sha1},
    {"hmac-sha256", EVP_sha256},
    {"hmac-sha384", EVP_sha384},
    {"hmac-sha512", EVP_sha512},
}};

}  // namespace

std::optional<Hash> hashNamed(std::string_view name) {
  for (size_t i = 0; i < kKnown.size(); ++i) {
    if (kKnown[i].name == name) return static_cast<Hash>(i);
  }
  return std::nullopt;
}

std::string macOf(Hash hash, std::string_view secret, std::string_view text) {
  const EVP_MD* const digest = kKnown[static_cast<size_t>(hash)].digest();
  std::string out(EVP_MD_size(digest), '\0');
  HMAC(digest, secret.data(), secret.size(), reinterpret_cast<const uint8_t*>(text.data()), text.size(),
       reinterpret_cast<uint8_t*>(out.data()), nullptr);
  return out;
}

bool verifies(Hash hash, std::string_view secret, std::string_view text, std::string_view signature) {
  const std::string made = macOf(hash, secret, text);
  return signature.size() == made.size() && CRYPTO_memcmp(made.data(), signature.data(), made.size()) == 0;
}

}  // namespace sluice::extensions::http_filters::hmac_auth
