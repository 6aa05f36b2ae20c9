#include "source/jwt/test_key.h"

#include <openssl/bn.h>
#include <openssl/curve25519.h>
#include <openssl/digest.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <utility>

#include "source/base/base64_url.h"

namespace sluice::jwt::testing {
namespace {

using base::strCat;
using base::toBase64Url;

void require(bool fine) {
  if (!fine) std::abort();
}

uint8_t* bytesOf(std::string& text) {
  return reinterpret_cast<uint8_t*>(text.data());
}
const uint8_t* bytesOf(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

const EVP_MD* hashOf(std::string_view algorithm) {
  if (algorithm.ends_with("256")) return EVP_sha256();
  if (algorithm.ends_with("384")) return EVP_sha384();
  return EVP_sha512();
}

std::string digestOf(const EVP_MD* hash, std::string_view text) {
  std::string digest(EVP_MD_size(hash), '\0');
  require(EVP_Digest(text.data(), text.size(), bytesOf(digest), nullptr, hash, nullptr) == 1);
  return digest;
}

// In `size` bytes.
std::string padded(const BIGNUM* number, size_t size) {
  std::string bytes(size, '\0');
  require(BN_bn2bin_padded(bytesOf(bytes), size, number) == 1);
  return bytes;
}

class Rsa : public TestKey {
 public:
  Rsa(int bits, unsigned exponent) : key_(RSA_new()) {
    const bssl::UniquePtr<BIGNUM> e(BN_new());
    require(BN_set_word(e.get(), exponent) == 1 && RSA_generate_key_ex(key_.get(), bits, e.get(), nullptr) == 1);
  }

  std::string members() const override {
    const BIGNUM *n = RSA_get0_n(key_.get()), *e = RSA_get0_e(key_.get());
    return strCat(R"("kty":"RSA","n":")", toBase64Url(padded(n, BN_num_bytes(n))), R"(","e":")",
                  toBase64Url(padded(e, BN_num_bytes(e))), R"(")");
  }
  std::string sign(std::string_view algorithm, std::string_view text) const override {
    const EVP_MD* const hash = hashOf(algorithm);
    const std::string digest = digestOf(hash, text);
    std::string signature(RSA_size(key_.get()), '\0');
    if (algorithm.starts_with("PS")) {
      size_t size = 0;
      require(RSA_sign_pss_mgf1(key_.get(), &size, bytesOf(signature), signature.size(),
                                bytesOf(std::string_view(digest)), digest.size(), hash, hash,
                                static_cast<int>(digest.size())) == 1);
    } else {
      unsigned size = 0;
      require(RSA_sign(EVP_MD_type(hash), bytesOf(std::string_view(digest)), static_cast<unsigned>(digest.size()),
                       bytesOf(signature), &size, key_.get()) == 1);
    }
    return signature;
  }

 private:
  const bssl::UniquePtr<RSA> key_;
};

class Ec : public TestKey {
 public:
  Ec(std::string_view curve, int nid, size_t size) : curve_(curve), size_(size), key_(EC_KEY_new_by_curve_name(nid)) {
    require(EC_KEY_generate_key(key_.get()) == 1);
  }

  std::string members() const override {
    const bssl::UniquePtr<BIGNUM> x(BN_new()), y(BN_new());
    require(EC_POINT_get_affine_coordinates_GFp(EC_KEY_get0_group(key_.get()), EC_KEY_get0_public_key(key_.get()),
                                                x.get(), y.get(), nullptr) == 1);
    return strCat(R"("kty":"EC","crv":")", curve_, R"(","x":")", toBase64Url(padded(x.get(), size_)), R"(","y":")",
                  toBase64Url(padded(y.get(), size_)), R"(")");
  }
  std::string sign(std::string_view algorithm, std::string_view text) const override {
    const std::string digest = digestOf(hashOf(algorithm), text);
    const bssl::UniquePtr<ECDSA_SIG> halves(
        ECDSA_do_sign(bytesOf(std::string_view(digest)), digest.size(), key_.get()));
    require(halves != nullptr);
    return padded(ECDSA_SIG_get0_r(halves.get()), size_) + padded(ECDSA_SIG_get0_s(halves.get()), size_);
  }

 private:
  const std::string curve_;
  const size_t size_;
  const bssl::UniquePtr<EC_KEY> key_;
};

class Ed : public TestKey {
 public:
  Ed() { ED25519_keypair(public_.data(), private_.data()); }

  std::string members() const override {
    return strCat(R"("kty":"OKP","crv":"Ed25519","x":")",
                  toBase64Url({reinterpret_cast<const char*>(public_.data()), public_.size()}), R"(")");
  }
  std::string sign(std::string_view, std::string_view text) const override {
    std::string signature(ED25519_SIGNATURE_LEN, '\0');
    require(ED25519_sign(bytesOf(signature), bytesOf(text), text.size(), private_.data()) == 1);
    return signature;
  }

 private:
  std::array<uint8_t, ED25519_PUBLIC_KEY_LEN> public_;
  std::array<uint8_t, ED25519_PRIVATE_KEY_LEN> private_;
};

class Shared : public TestKey {
 public:
  explicit Shared(std::string secret) : secret_(std::move(secret)) {}

  std::string members() const override { return strCat(R"("kty":"oct","k":")", toBase64Url(secret_), R"(")"); }
  std::string sign(std::string_view algorithm, std::string_view text) const override {
    const EVP_MD* const hash = hashOf(algorithm);
    std::string signature(EVP_MD_size(hash), '\0');
    unsigned size = 0;
    require(HMAC(hash, secret_.data(), secret_.size(), bytesOf(text), text.size(), bytesOf(signature), &size) !=
            nullptr);
    return signature;
  }

 private:
  const std::string secret_;
};

std::string_view kindFor(std::string_view algorithm) {
  if (algorithm == "EdDSA") return algorithm;
  if (algorithm.starts_with("ES")) return algorithm == "ES512" ? "P-521" : algorithm == "ES384" ? "P-384" : "P-256";
  return algorithm.starts_with("HS") ? "HS" : "RSA";
}

std::unique_ptr<TestKey> makeOfKind(std::string_view kind) {
  if (kind == "RSA") return makeRsaKey();
  if (kind == "EdDSA") return makeEdKey();
  if (kind == "HS") return makeSharedKey(std::string(64, 's'));
  return makeEcKey(kind);
}

}  // namespace

std::unique_ptr<TestKey> makeRsaKey(int bits, unsigned exponent) {
  return std::make_unique<Rsa>(bits, exponent);
}
std::unique_ptr<TestKey> makeEcKey(std::string_view curve) {
  if (curve == "P-256") return std::make_unique<Ec>(curve, NID_X9_62_prime256v1, 32);
  if (curve == "P-384") return std::make_unique<Ec>(curve, NID_secp384r1, 48);
  if (curve == "P-521") return std::make_unique<Ec>(curve, NID_secp521r1, 66);
  return std::make_unique<Ec>(curve, NID_secp224r1, 28);
}
std::unique_ptr<TestKey> makeEdKey() {
  return std::make_unique<Ed>();
}
std::unique_ptr<TestKey> makeSharedKey(std::string secret) {
  return std::make_unique<Shared>(std::move(secret));
}

const TestKey& keyFor(std::string_view algorithm) {
  static std::map<std::string, std::unique_ptr<TestKey>, std::less<>> keys;
  const std::string_view kind = kindFor(algorithm);
  std::unique_ptr<TestKey>& key = keys[std::string(kind)];
  if (key == nullptr) key = makeOfKind(kind);
  return *key;
}

std::string jwk(const TestKey& key, std::string_view more) {
  return strCat("{", key.members(), more.empty() ? "" : ",", more, "}");
}

std::string keySet(const std::vector<std::string>& jwks) {
  std::string list;
  for (const std::string& each : jwks) list += (list.empty() ? "" : ",") + each;
  return strCat(R"({"keys":[)", list, "]}");
}

std::string signedText(std::string_view header, std::string_view payload) {
  return strCat(toBase64Url(header), ".", toBase64Url(payload));
}

std::string tokenOf(const TestKey& key, std::string_view algorithm, std::string_view header, std::string_view payload) {
  const std::string text = signedText(header, payload);
  return strCat(text, ".", toBase64Url(key.sign(algorithm, text)));
}

std::string token(std::string_view algorithm, std::string_view claims, std::string_view more) {
  const std::string header = strCat(R"({"alg":")", algorithm, R"(")", more.empty() ? "" : ",", more, "}");
  return tokenOf(keyFor(algorithm), algorithm, header, claims);
}

}  // namespace sluice::jwt::testing
