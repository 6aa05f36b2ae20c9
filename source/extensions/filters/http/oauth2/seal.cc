#include "source/extensions/filters/http/oauth2/seal.h"

#include <openssl/aead.h>
#include <openssl/digest.h>
#include <openssl/hkdf.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <cstdlib>

#include "source/base/base64_url.h"
#include "source/base/text.h"

namespace sluice::extensions::http_filters::oauth2 {
namespace {

constexpr size_t kKeySize = 32, kNonceSize = 12, kTagSize = 16;
constexpr size_t kPurposes = static_cast<size_t>(Purpose::kCount);

constexpr std::array<std::string_view, kPurposes> kNames = {"bearer_token", "id_token", "refresh_token", "nonce",
                                                            "verifier",     "state",    "logins",        "mac"};

const uint8_t* bytesOf(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}
uint8_t* bytesOf(std::string& text) {
  return reinterpret_cast<uint8_t*>(text.data());
}

// What fails only without memory.
void require(bool done) {
  if (!done) std::abort();
}

// In front of a part stands how long it is, so that no two lists are the same text.
void appendPart(std::string_view part, std::string& out) {
  base::strAppend(out, part.size(), ":", part);
}

}  // namespace

struct Sealer::Keys {
  std::array<bssl::ScopedEVP_AEAD_CTX, kPurposes> aead;
  std::array<uint8_t, kKeySize> mac;
};

Sealer::Sealer(std::string_view secret, std::string_view client)
    : keys_([&] {
        auto keys = std::make_unique<Keys>();
        for (size_t i = 0; i < kPurposes; ++i) {
          const std::string info = joined({"sluice oauth2 1", kNames[i], client});
          std::array<uint8_t, kKeySize> key;
          require(HKDF(key.data(), key.size(), EVP_sha256(), bytesOf(secret), secret.size(), nullptr, 0,
                       bytesOf(std::string_view(info)), info.size()) == 1);
          if (i == static_cast<size_t>(Purpose::kMac)) keys->mac = key;
          require(EVP_AEAD_CTX_init(keys->aead[i].get(), EVP_aead_aes_256_gcm(), key.data(), key.size(), kTagSize,
                                    nullptr) == 1);
        }
        return keys;
      }()) {}

Sealer::~Sealer() = default;

std::string Sealer::seal(Purpose purpose, std::string_view scope, std::string_view text) const {
  std::string out(kNonceSize + text.size() + kTagSize, '\0');
  require(RAND_bytes(bytesOf(out), kNonceSize) == 1);
  size_t size = 0;
  require(EVP_AEAD_CTX_seal(keys_->aead[static_cast<size_t>(purpose)].get(), bytesOf(out) + kNonceSize, &size,
                            out.size() - kNonceSize, bytesOf(out), kNonceSize, bytesOf(text), text.size(),
                            bytesOf(scope), scope.size()) == 1);
  return base::toBase64Url(out);
}

std::optional<std::string> Sealer::open(Purpose purpose, std::string_view scope, std::string_view sealed) const {
  const std::optional<std::string> bytes = base::fromBase64Url(sealed);
  if (!bytes || bytes->size() < kNonceSize + kTagSize) return std::nullopt;
  const std::string_view all = *bytes;
  std::string out(all.size() - kNonceSize - kTagSize + 1, '\0');  // never empty
  size_t size = 0;
  if (EVP_AEAD_CTX_open(keys_->aead[static_cast<size_t>(purpose)].get(), bytesOf(out), &size, out.size(), bytesOf(all),
                        kNonceSize, bytesOf(all) + kNonceSize, all.size() - kNonceSize, bytesOf(scope),
                        scope.size()) != 1) {
    return std::nullopt;
  }
  out.resize(size);
  return out;
}

std::string Sealer::mac(std::string_view scope, std::initializer_list<std::string_view> parts) const {
  std::string text;
  appendPart(scope, text);
  for (const std::string_view part : parts) appendPart(part, text);
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  unsigned size = 0;
  require(HMAC(EVP_sha256(), keys_->mac.data(), keys_->mac.size(), bytesOf(std::string_view(text)), text.size(),
               bytesOf(out), &size) != nullptr);
  return base::toBase64Url(out);
}

std::string randomText(size_t bytes) {
  std::string out(bytes, '\0');
  require(RAND_bytes(bytesOf(out), bytes) == 1);
  return base::toBase64Url(out);
}

std::string hashText(std::string_view text) {
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  SHA256(bytesOf(text), text.size(), bytesOf(out));
  return base::toBase64Url(out);
}

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string out;
  for (const std::string_view& part : parts) {
    if (&part != parts.begin()) out.push_back('\0');
    out += part;
  }
  return out;
}

}  // namespace sluice::extensions::http_filters::oauth2
