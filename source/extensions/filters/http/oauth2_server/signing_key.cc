#include "source/extensions/filters/http/oauth2_server/signing_key.h"

#include <openssl/bn.h>
#include <openssl/bytestring.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "source/base/base64_url.h"
#include "source/base/text.h"
#include "source/filter/credentials/key_table.h"

namespace sluice::extensions::http_filters::oauth2_server {
namespace {

constexpr size_t kCoordinate = 32;  // bytes, of P-256
constexpr int kRsaBits = 2048;

// What fails only without memory or randomness.
void require(bool good) {
  if (!good) std::abort();
}

std::string_view viewOf(const filter::KeyDigest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string bytesOf(const BIGNUM* number, size_t size) {
  std::string out(size, '\0');
  require(BN_bn2bin_padded(reinterpret_cast<uint8_t*>(out.data()), size, number) == 1);
  return out;
}

template <typename Marshal>
std::string marshalled(Marshal marshal) {
  bssl::ScopedCBB cbb;
  uint8_t* bytes = nullptr;
  size_t size = 0;
  require(CBB_init(cbb.get(), 256) == 1 && marshal(cbb.get()) == 1 && CBB_finish(cbb.get(), &bytes, &size) == 1);
  std::string out(reinterpret_cast<const char*>(bytes), size);
  OPENSSL_free(bytes);
  return out;
}

class EcKey final : public SigningKey {
 public:
  explicit EcKey(bssl::UniquePtr<EC_KEY> key) : key_(std::move(key)) {}

  SigningAlgorithm algorithm() const override { return SigningAlgorithm::kEs256; }
  std::string privateDer() const override {
    return marshalled([this](CBB* to) { return EC_KEY_marshal_private_key(to, key_.get(), EC_PKEY_NO_PARAMETERS); });
  }
  std::string publicJwk() const override {
    const bssl::UniquePtr<BIGNUM> x(BN_new()), y(BN_new());
    require(EC_POINT_get_affine_coordinates_GFp(EC_KEY_get0_group(key_.get()), EC_KEY_get0_public_key(key_.get()),
                                                x.get(), y.get(), nullptr) == 1);
    return base::strCat(R"("crv":"P-256","kty":"EC","x":")", base::toBase64Url(bytesOf(x.get(), kCoordinate)),
                        R"(","y":")", base::toBase64Url(bytesOf(y.get(), kCoordinate)), R"(")");
  }
  std::string sign(std::string_view text) const override {
    const filter::KeyDigest digest = filter::digestOf(text);
    const bssl::UniquePtr<ECDSA_SIG> halves(ECDSA_do_sign(digest.data(), digest.size(), key_.get()));
    require(halves != nullptr);
    return bytesOf(ECDSA_SIG_get0_r(halves.get()), kCoordinate) + bytesOf(ECDSA_SIG_get0_s(halves.get()), kCoordinate);
  }

 private:
  const bssl::UniquePtr<EC_KEY> key_;
};

class RsaKey final : public SigningKey {
 public:
  explicit RsaKey(bssl::UniquePtr<RSA> key) : key_(std::move(key)) {}

  SigningAlgorithm algorithm() const override { return SigningAlgorithm::kRs256; }
  std::string privateDer() const override {
    return marshalled([this](CBB* to) { return RSA_marshal_private_key(to, key_.get()); });
  }
  std::string publicJwk() const override {
    const BIGNUM *n = RSA_get0_n(key_.get()), *e = RSA_get0_e(key_.get());
    return base::strCat(R"("e":")", base::toBase64Url(bytesOf(e, BN_num_bytes(e))), R"(","kty":"RSA","n":")",
                        base::toBase64Url(bytesOf(n, BN_num_bytes(n))), R"(")");
  }
  std::string sign(std::string_view text) const override {
    const filter::KeyDigest digest = filter::digestOf(text);
    std::string out(RSA_size(key_.get()), '\0');
    unsigned size = 0;
    require(RSA_sign(NID_sha256, digest.data(), digest.size(), reinterpret_cast<uint8_t*>(out.data()), &size,
                     key_.get()) == 1);
    out.resize(size);
    return out;
  }

 private:
  const bssl::UniquePtr<RSA> key_;
};

bssl::UniquePtr<EC_GROUP> p256() {
  return bssl::UniquePtr<EC_GROUP>(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
}

}  // namespace

std::string_view nameOf(SigningAlgorithm algorithm) {
  return algorithm == SigningAlgorithm::kEs256 ? "ES256" : "RS256";
}

std::shared_ptr<const SigningKey> SigningKey::generate(SigningAlgorithm algorithm) {
  if (algorithm == SigningAlgorithm::kEs256) {
    bssl::UniquePtr<EC_KEY> key(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
    require(EC_KEY_generate_key(key.get()) == 1);
    return std::make_shared<EcKey>(std::move(key));
  }
  bssl::UniquePtr<RSA> key(RSA_new());
  const bssl::UniquePtr<BIGNUM> exponent(BN_new());
  require(BN_set_word(exponent.get(), RSA_F4) == 1 &&
          RSA_generate_key_ex(key.get(), kRsaBits, exponent.get(), nullptr) == 1);
  return std::make_shared<RsaKey>(std::move(key));
}

std::shared_ptr<const SigningKey> SigningKey::read(SigningAlgorithm algorithm, std::string_view der) {
  CBS cbs;
  CBS_init(&cbs, reinterpret_cast<const uint8_t*>(der.data()), der.size());
  std::shared_ptr<const SigningKey> out;
  if (algorithm == SigningAlgorithm::kEs256) {
    const auto group = p256();
    bssl::UniquePtr<EC_KEY> key(EC_KEY_parse_private_key(&cbs, group.get()));
    if (key && CBS_len(&cbs) == 0) out = std::make_shared<EcKey>(std::move(key));
  } else {
    bssl::UniquePtr<RSA> key(RSA_parse_private_key(&cbs));
    if (key && CBS_len(&cbs) == 0 && RSA_bits(key.get()) >= kRsaBits) out = std::make_shared<RsaKey>(std::move(key));
  }
  ERR_clear_error();
  return out;
}

std::string SigningKey::id() const {
  return base::toBase64Url(viewOf(filter::digestOf(base::strCat("{", publicJwk(), "}"))));
}

}  // namespace sluice::extensions::http_filters::oauth2_server
