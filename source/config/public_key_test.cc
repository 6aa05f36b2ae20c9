#include "source/config/public_key.h"

#include <catch2/catch.hpp>

#include <string>

#include "source/base/text.h"
#include "source/jwt/test_key.h"

namespace sluice::config {
namespace {

using base::strCat;
using jwt::testing::jwk;
using jwt::testing::TestKey;

struct Compiled {
  explicit Compiled(const std::string& jwk) {
    envoy::config::core::v3::DataSource source;
    source.set_inline_string(jwk);
    key = compilePublicKey(source, Context(errors));
  }

  ErrorList errors;
  std::unique_ptr<const filter::PublicKey> key;
};

void checkVerifies(const TestKey& signer, const std::string& algorithm, const std::string& name, bool is_usual = true) {
  INFO(name);
  const Compiled out(jwk(signer));
  REQUIRE(out.key);
  const std::string signature = signer.sign(algorithm, "text");
  CHECK(out.key->takes(name));
  CHECK(out.key->verifies(name, "text", signature));
  CHECK(out.key->verifies("", "text", signature) == is_usual);
  CHECK_FALSE(out.key->verifies(name, "texts", signature));
  CHECK_FALSE(out.key->verifies(name, "text", signature.substr(1)));
  CHECK_FALSE(out.key->verifies(name, "text", ""));
}

TEST_CASE("a public key verifies by the algorithms of its type") {
  const auto rsa = jwt::testing::makeRsaKey(), p256 = jwt::testing::makeEcKey("P-256"),
             p384 = jwt::testing::makeEcKey("P-384"), ed = jwt::testing::makeEdKey();
  checkVerifies(*rsa, "PS512", "rsa-pss-sha512");
  checkVerifies(*rsa, "RS256", "rsa-v1_5-sha256", false);
  checkVerifies(*p256, "ES256", "ecdsa-p256-sha256");
  checkVerifies(*p384, "ES384", "ecdsa-p384-sha384");
  checkVerifies(*ed, "EdDSA", "ed25519");

  const Compiled out(jwk(*ed));
  for (const char* name : {"rsa-pss-sha512", "ecdsa-p256-sha256", "hmac-sha256", "EdDSA", "ED25519"}) {
    CHECK_FALSE(out.key->takes(name));
    CHECK_FALSE(out.key->verifies(name, "text", ed->sign("EdDSA", "text")));
  }
}

TEST_CASE("the alg of a key is the only one that it takes") {
  const auto rsa = jwt::testing::makeRsaKey();
  const Compiled out(jwk(*rsa, R"("alg":"RS256")"));
  REQUIRE(out.key);
  CHECK(out.key->verifies("", "text", rsa->sign("RS256", "text")));
  CHECK(out.key->takes("rsa-v1_5-sha256"));
  CHECK_FALSE(out.key->takes("rsa-pss-sha512"));
}

TEST_CASE("what is no public key that signs messages is refused, and not told") {
  const auto problem = [](const std::string& text) {
    const Compiled out(text);
    CHECK(out.key == nullptr);
    return out.errors.toString();
  };
  const std::string ed = jwk(*jwt::testing::makeEdKey());
  CHECK_THAT(problem("sesame"), Catch::Contains("is no JSON Web Key") && !Catch::Contains("sesame"));
  CHECK_THAT(problem(""), Catch::Contains("is no JSON Web Key"));
  CHECK_THAT(problem(strCat(ed, ",", ed)), Catch::Contains("is no JSON Web Key"));
  CHECK_THAT(problem(strCat(ed, "],\"keys\":[", ed)), Catch::Contains("is no JSON Web Key"));
  CHECK_THAT(problem(strCat("{\"keys\":[", ed, "]}")), Catch::Contains("is no JSON Web Key"));
  CHECK_THAT(problem(jwk(*jwt::testing::makeEdKey(), R"("use":"enc")")), Catch::Contains("'use'"));
  CHECK_THAT(problem(jwk(*jwt::testing::makeEcKey("P-521"))), Catch::Contains("signs no messages"));
  const std::string secret(32, 's');
  CHECK_THAT(problem(jwk(*jwt::testing::makeSharedKey(secret))),
             Catch::Contains("signs no messages") && !Catch::Contains("c3Nzc3"));
}

}  // namespace
}  // namespace sluice::config
