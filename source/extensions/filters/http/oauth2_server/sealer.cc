#include "source/extensions/filters/http/oauth2_server/sealer.h"

#include <openssl/aead.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include <cstdlib>
#include <cstring>

#include "source/base/percent.h"

namespace sluice::extensions::http_filters::oauth2_server {
namespace {

constexpr size_t kNonce = 12;

const uint8_t* dataOf(std::string_view bytes) {
  return reinterpret_cast<const uint8_t*>(bytes.data());
}

}  // namespace

std::optional<Sealer> Sealer::parse(std::string_view text) {
  Sealer out;
  if (text.size() == out.key_.size()) {
    std::memcpy(out.key_.data(), text.data(), text.size());
    return out;
  }
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.size() != 2 * out.key_.size()) return std::nullopt;
  for (size_t i = 0; i < out.key_.size(); ++i) {
    const int high = base::hexValue(text[2 * i]), low = base::hexValue(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.key_[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return out;
}

std::string Sealer::seal(std::string_view plain, std::string_view about) const {
  const EVP_AEAD* const cipher = EVP_aead_aes_256_gcm();
  std::string out(kNonce + plain.size() + EVP_AEAD_max_overhead(cipher), '\0');
  auto* const to = reinterpret_cast<uint8_t*>(out.data());
  RAND_bytes(to, kNonce);
  bssl::ScopedEVP_AEAD_CTX context;
  size_t size = 0;
  if (EVP_AEAD_CTX_init(context.get(), cipher, key_.data(), key_.size(), EVP_AEAD_DEFAULT_TAG_LENGTH, nullptr) != 1 ||
      EVP_AEAD_CTX_seal(context.get(), to + kNonce, &size, out.size() - kNonce, to, kNonce, dataOf(plain), plain.size(),
                        dataOf(about), about.size()) != 1) {
    std::abort();  // there is no memory
  }
  out.resize(kNonce + size);
  return out;
}

std::optional<std::string> Sealer::open(std::string_view sealed, std::string_view about) const {
  if (sealed.size() < kNonce) return std::nullopt;
  std::string out(sealed.size() - kNonce, '\0');
  bssl::ScopedEVP_AEAD_CTX context;
  size_t size = 0;
  const bool good =
      EVP_AEAD_CTX_init(context.get(), EVP_aead_aes_256_gcm(), key_.data(), key_.size(), EVP_AEAD_DEFAULT_TAG_LENGTH,
                        nullptr) == 1 &&
      EVP_AEAD_CTX_open(context.get(), reinterpret_cast<uint8_t*>(out.data()), &size, out.size(), dataOf(sealed),
                        kNonce, dataOf(sealed) + kNonce, sealed.size() - kNonce, dataOf(about), about.size()) == 1;
  ERR_clear_error();
  if (!good) return std::nullopt;
  out.resize(size);
  return out;
}

}  // namespace sluice::extensions::http_filters::oauth2_server
