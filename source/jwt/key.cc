#include "source/jwt/key.h"

#include <openssl/bn.h>
#include <openssl/curve25519.h>
#include <openssl/digest.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "source/base/base64_url.h"

namespace sluice::jwt {
namespace {

enum class Family : uint8_t { kRsa, kPss, kEc, kEd, kHmac };

struct Scheme {
  std::string_view name;
  Family family;
  const EVP_MD* (*hash)();
};

// By Algorithm.
constexpr std::array<Scheme, kAlgorithmCount> kSchemes = {{
    {"RS256", Family::kRsa, EVP_sha256},
    {"RS384", Family::kRsa, EVP_sha384},
    {"RS512", Family::kRsa, EVP_sha512},
    {"PS256", Family::kPss, EVP_sha256},
    {"PS384", Family::kPss, EVP_sha384},
    {"PS512", Family::kPss, EVP_sha512},
    {"ES256", Family::kEc, EVP_sha256},
    {"ES384", Family::kEc, EVP_sha384},
    {"ES512", Family::kEc, EVP_sha512},
    {"EdDSA", Family::kEd, nullptr},
    {"HS256", Family::kHmac, EVP_sha256},
    {"HS384", Family::kHmac, EVP_sha384},
    {"HS512", Family::kHmac, EVP_sha512},
}};

const Scheme& schemeOf(Algorithm algorithm) {
  return kSchemes[static_cast<size_t>(algorithm)];
}

const uint8_t* dataOf(std::string_view bytes) {
  return reinterpret_cast<const uint8_t*>(bytes.data());
}

bssl::UniquePtr<BIGNUM> numberOf(std::string_view bytes) {
  return bssl::UniquePtr<BIGNUM>(BN_bin2bn(dataOf(bytes), bytes.size(), nullptr));
}

struct Digest {
  Digest(const EVP_MD* hash, std::string_view text) {
    EVP_Digest(text.data(), text.size(), bytes.data(), &size, hash, nullptr);
  }
  std::array<uint8_t, EVP_MAX_MD_SIZE> bytes;
  unsigned size = 0;
};

class RsaKey : public Key {
 public:
  explicit RsaKey(bssl::UniquePtr<RSA> key) : key_(std::move(key)) {}

  bool takes(Algorithm algorithm) const override {
    const Family family = schemeOf(algorithm).family;
    return family == Family::kRsa || family == Family::kPss;
  }
  bool verifies(Algorithm algorithm, std::string_view signed_text, std::string_view signature) const override {
    if (!takes(algorithm)) return false;
    const EVP_MD* const hash = schemeOf(algorithm).hash();
    const Digest digest(hash, signed_text);
    const int good = schemeOf(algorithm).family == Family::kPss
                         ? RSA_verify_pss_mgf1(key_.get(), digest.bytes.data(), digest.size, hash, hash,
                                               static_cast<int>(digest.size), dataOf(signature), signature.size())
                         : RSA_verify(EVP_MD_type(hash), digest.bytes.data(), digest.size, dataOf(signature),
                                      signature.size(), key_.get());
    ERR_clear_error();
    return good == 1;
  }

 private:
  const bssl::UniquePtr<RSA> key_;
};

struct Curve {
  std::string_view name;
  int nid;
  size_t bytes;  // of a coordinate, and of each half of a signature
  Algorithm algorithm;
};

constexpr std::array<Curve, 3> kCurves = {{
    {"P-256", NID_X9_62_prime256v1, 32, Algorithm::kEs256},
    {"P-384", NID_secp384r1, 48, Algorithm::kEs384},
    {"P-521", NID_secp521r1, 66, Algorithm::kEs512},
}};

class EcKey : public Key {
 public:
  EcKey(const Curve& curve, bssl::UniquePtr<EC_KEY> key) : curve_(curve), key_(std::move(key)) {}

  bool takes(Algorithm algorithm) const override { return algorithm == curve_.algorithm; }
  bool verifies(Algorithm algorithm, std::string_view signed_text, std::string_view signature) const override {
    if (!takes(algorithm) || signature.size() != 2 * curve_.bytes) return false;
    const Digest digest(schemeOf(algorithm).hash(), signed_text);
    const bssl::UniquePtr<ECDSA_SIG> halves(ECDSA_SIG_new());
    ECDSA_SIG_set0(halves.get(), numberOf(signature.substr(0, curve_.bytes)).release(),
                   numberOf(signature.substr(curve_.bytes)).release());
    const int good = ECDSA_do_verify(digest.bytes.data(), digest.size, halves.get(), key_.get());
    ERR_clear_error();
    return good == 1;
  }

 private:
  const Curve& curve_;
  const bssl::UniquePtr<EC_KEY> key_;
};

class EdKey : public Key {
 public:
  explicit EdKey(std::string key) : key_(std::move(key)) {}

  bool takes(Algorithm algorithm) const override { return algorithm == Algorithm::kEdDsa; }
  bool verifies(Algorithm algorithm, std::string_view signed_text, std::string_view signature) const override {
    return takes(algorithm) && signature.size() == ED25519_SIGNATURE_LEN &&
           ED25519_verify(dataOf(signed_text), signed_text.size(), dataOf(signature), dataOf(key_)) == 1;
  }

 private:
  const std::string key_;
};

class HmacKey : public Key {
 public:
  explicit HmacKey(std::string secret) : secret_(std::move(secret)) {}

  bool takes(Algorithm algorithm) const override {
    const Scheme& scheme = schemeOf(algorithm);
    return scheme.family == Family::kHmac && secret_.size() >= EVP_MD_size(scheme.hash());
  }
  bool verifies(Algorithm algorithm, std::string_view signed_text, std::string_view signature) const override {
    if (!takes(algorithm)) return false;
    std::array<uint8_t, EVP_MAX_MD_SIZE> made;
    unsigned size = 0;
    HMAC(schemeOf(algorithm).hash(), secret_.data(), secret_.size(), dataOf(signed_text), signed_text.size(),
         made.data(), &size);
    return signature.size() == size && CRYPTO_memcmp(made.data(), signature.data(), size) == 0;
  }

 private:
  const std::string secret_;
};

// nullopt: not there, or no text.
std::optional<std::string_view> textOf(const stream::MetadataFields& jwk, std::string_view name) {
  const stream::MetadataValue* const value = stream::findMetadata(jwk, name, {});
  const auto* const text = value == nullptr ? nullptr : std::get_if<std::string>(&value->value);
  return text == nullptr ? std::nullopt : std::optional<std::string_view>(*text);
}

std::optional<std::string> bytesOf(const stream::MetadataFields& jwk, std::string_view name) {
  const std::optional<std::string_view> text = textOf(jwk, name);
  return text ? base::fromBase64Url(*text) : std::nullopt;
}

std::unique_ptr<const Key> makeRsa(const stream::MetadataFields& jwk, std::string_view& why) {
  constexpr unsigned kFewestBits = 2048, kMostBits = 8192, kMostExponentBits = 32;
  const std::optional<std::string> n = bytesOf(jwk, "n"), e = bytesOf(jwk, "e");
  why = "'n' and 'e' must be base64url";
  if (!n || !e) return nullptr;
  bssl::UniquePtr<BIGNUM> modulus = numberOf(*n), exponent = numberOf(*e);
  why = "an RSA key must have 2048 to 8192 bits and be odd";
  const unsigned bits = BN_num_bits(modulus.get());
  if (bits < kFewestBits || bits > kMostBits || !BN_is_odd(modulus.get())) return nullptr;
  why = "the exponent of an RSA key must be odd, at least 3 and of at most 32 bits";
  const bool odd = BN_is_odd(exponent.get()) && !BN_is_one(exponent.get());
  if (!odd || BN_num_bits(exponent.get()) > kMostExponentBits) return nullptr;
  bssl::UniquePtr<RSA> key(RSA_new());
  RSA_set0_key(key.get(), modulus.release(), exponent.release(), nullptr);
  return std::make_unique<RsaKey>(std::move(key));
}

std::unique_ptr<const Key> makeEc(const stream::MetadataFields& jwk, std::string_view& why) {
  const std::string_view name = textOf(jwk, "crv").value_or("");
  const auto curve = std::find_if(kCurves.begin(), kCurves.end(), [&](const Curve& each) { return each.name == name; });
  why = "'crv' must be P-256, P-384 or P-521";
  if (curve == kCurves.end()) return nullptr;
  const std::optional<std::string> x = bytesOf(jwk, "x"), y = bytesOf(jwk, "y");
  why = "'x' and 'y' must be base64url of as many bytes as the curve has";
  if (!x || !y || x->size() != curve->bytes || y->size() != curve->bytes) return nullptr;
  bssl::UniquePtr<EC_KEY> key(EC_KEY_new_by_curve_name(curve->nid));
  const int on_curve = EC_KEY_set_public_key_affine_coordinates(key.get(), numberOf(*x).get(), numberOf(*y).get());
  ERR_clear_error();
  why = "'x' and 'y' are no point of the curve";
  if (on_curve != 1) return nullptr;
  return std::make_unique<EcKey>(*curve, std::move(key));
}

std::unique_ptr<const Key> makeEd(const stream::MetadataFields& jwk, std::string_view& why) {
  why = "'crv' must be Ed25519";
  if (textOf(jwk, "crv") != "Ed25519") return nullptr;
  std::optional<std::string> key = bytesOf(jwk, "x");
  why = "'x' must be base64url of 32 bytes";
  if (!key || key->size() != ED25519_PUBLIC_KEY_LEN) return nullptr;
  return std::make_unique<EdKey>(*std::move(key));
}

std::unique_ptr<const Key> makeHmac(const stream::MetadataFields& jwk, std::string_view& why) {
  std::optional<std::string> secret = bytesOf(jwk, "k");
  why = "'k' must be base64url";
  if (!secret) return nullptr;
  auto key = std::make_unique<HmacKey>(*std::move(secret));
  why = "a shared key must have at least as many bytes as the hash: 32 for HS256";
  return key->takes(Algorithm::kHs256) ? std::move(key) : nullptr;
}

}  // namespace

std::optional<Algorithm> algorithmNamed(std::string_view name) {
  for (size_t i = 0; i < kSchemes.size(); ++i) {
    if (kSchemes[i].name == name) return static_cast<Algorithm>(i);
  }
  return std::nullopt;
}

std::string_view nameOf(Algorithm algorithm) {
  return schemeOf(algorithm).name;
}

std::unique_ptr<const Key> makeKey(const stream::MetadataFields& jwk, std::string_view& why) {
  const std::string_view type = textOf(jwk, "kty").value_or("");
  if (type == "RSA") return makeRsa(jwk, why);
  if (type == "EC") return makeEc(jwk, why);
  if (type == "OKP") return makeEd(jwk, why);
  if (type == "oct") return makeHmac(jwk, why);
  why = "'kty' must be RSA, EC, OKP or oct";
  return nullptr;
}

}  // namespace sluice::jwt
