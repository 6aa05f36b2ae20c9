#include "source/extensions/filters/http/oauth2/assertion.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/digest.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>

#include <array>

#include "source/base/base64_url.h"
#include "source/base/text.h"
#include "source/extensions/filters/http/oauth2/seal.h"
#include "source/stream/formatter.h"

namespace sluice::extensions::http_filters::oauth2 {
namespace {

struct Scheme {
  std::string_view name;
  const EVP_MD* (*hash)();
  int curve;     // 0: RSA
  size_t field;  // bytes of each number of a signature by a curve
};

// By SigningAlgorithm. (RFC 7518 section 3.1)
constexpr std::array<Scheme, 6> kSchemes = {{
    {"RS256", EVP_sha256, 0, 0},
    {"RS384", EVP_sha384, 0, 0},
    {"RS512", EVP_sha512, 0, 0},
    {"ES256", EVP_sha256, NID_X9_62_prime256v1, 32},
    {"ES384", EVP_sha384, NID_secp384r1, 48},
    {"ES512", EVP_sha512, NID_secp521r1, 66},
}};

const uint8_t* bytesOf(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}
uint8_t* bytesOf(std::string& text) {
  return reinterpret_cast<uint8_t*>(text.data());
}

// Without asking anybody for a passphrase.
int noPassphrase(char*, int, int, void*) {
  return 0;
}

bssl::UniquePtr<EVP_PKEY> readKey(std::string_view pem) {
  const bssl::UniquePtr<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  bssl::UniquePtr<EVP_PKEY> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, noPassphrase, nullptr));
  ERR_clear_error();
  return key;
}

std::optional<std::string> signRsa(EVP_PKEY* key, const Scheme& scheme, std::string_view text) {
  bssl::ScopedEVP_MD_CTX context;
  std::string out(EVP_PKEY_size(key), '\0');
  size_t size = out.size();
  if (EVP_DigestSignInit(context.get(), nullptr, scheme.hash(), nullptr, key) != 1 ||
      EVP_DigestSign(context.get(), bytesOf(out), &size, bytesOf(text), text.size()) != 1) {
    ERR_clear_error();
    return std::nullopt;
  }
  out.resize(size);
  return out;
}

// The two numbers behind each other. (RFC 7518 section 3.4)
std::optional<std::string> signEc(EVP_PKEY* key, const Scheme& scheme, std::string_view text) {
  const EC_KEY* const ec = EVP_PKEY_get0_EC_KEY(key);
  if (EC_GROUP_get_curve_name(EC_KEY_get0_group(ec)) != scheme.curve) return std::nullopt;
  std::string digest(EVP_MD_size(scheme.hash()), '\0');
  if (EVP_Digest(text.data(), text.size(), bytesOf(digest), nullptr, scheme.hash(), nullptr) != 1) return std::nullopt;
  const bssl::UniquePtr<ECDSA_SIG> signature(
      ECDSA_do_sign(bytesOf(std::string_view(digest)), digest.size(), const_cast<EC_KEY*>(ec)));
  if (signature == nullptr) return std::nullopt;
  std::string out(2 * scheme.field, '\0');
  const bool fits = BN_bn2bin_padded(bytesOf(out), scheme.field, ECDSA_SIG_get0_r(signature.get())) == 1 &&
                    BN_bn2bin_padded(bytesOf(out) + scheme.field, scheme.field, ECDSA_SIG_get0_s(signature.get())) == 1;
  return fits ? std::optional(std::move(out)) : std::nullopt;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  stream::appendJsonEscaped(text, out);
  return out + "\"";
}

}  // namespace

std::optional<std::string> clientAssertion(const Client& client, std::string_view key, int64_t now) {
  const Scheme& scheme = kSchemes[static_cast<size_t>(client.algorithm)];
  const bssl::UniquePtr<EVP_PKEY> pkey = readKey(key);
  if (pkey == nullptr || EVP_PKEY_id(pkey.get()) != (scheme.curve == 0 ? EVP_PKEY_RSA : EVP_PKEY_EC)) {
    return std::nullopt;
  }
  const std::string id = quoted(client.id);
  const std::string claims =
      base::strCat("{\"iss\":", id, ",\"sub\":", id, ",\"aud\":", quoted(client.token_uri), ",\"jti\":\"",
                   randomText(16), "\",\"iat\":", now, ",\"exp\":", now + client.assertion_lifetime.count(), "}");
  const std::string text =
      base::strCat(base::toBase64Url(base::strCat("{\"alg\":\"", scheme.name, "\",\"typ\":\"JWT\"}")), ".",
                   base::toBase64Url(claims));
  const auto signature = scheme.curve == 0 ? signRsa(pkey.get(), scheme, text) : signEc(pkey.get(), scheme, text);
  if (!signature) return std::nullopt;
  return base::strCat(text, ".", base::toBase64Url(*signature));
}

}  // namespace sluice::extensions::http_filters::oauth2
