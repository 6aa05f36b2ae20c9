#include "source/extensions/filters/http/hmac_auth/hash.h"

#include <catch2/catch.hpp>

#include <string>

#include "absl/strings/escaping.h"

namespace sluice::extensions::http_filters::hmac_auth {
namespace {

// RFC 2202 and 4231, the second test.
TEST_CASE("an HMAC is that of its hash, its secret and its text") {
  const std::string secret = "Jefe", text = "what do ya want for nothing?";
  const auto check = [&](Hash hash, const char* expected) {
    const std::string signature = absl::HexStringToBytes(expected);
    CHECK(verifies(hash, secret, text, signature));
    CHECK_FALSE(verifies(hash, "jefe", text, signature));
    CHECK_FALSE(verifies(hash, secret, text + " ", signature));
    CHECK_FALSE(verifies(hash, secret, text, signature.substr(1)));
    CHECK_FALSE(verifies(hash, secret, text, signature + '\0'));
    CHECK_FALSE(verifies(hash, secret, text, ""));
  };
  check(Hash::kSha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  check(Hash::kSha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  check(Hash::kSha384,
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649");
  check(
      Hash::kSha512,
      "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b"
      "636e070a38bce737");
}

TEST_CASE("hashes have names") {
  CHECK(hashNamed("hmac-sha1") == Hash::kSha1);
  CHECK(hashNamed("hmac-sha512") == Hash::kSha512);
  for (const char* name : {"", "HMAC-SHA256", "sha256", "hmac-md5"}) CHECK_FALSE(hashNamed(name));
}

}  // namespace
}  // namespace sluice::extensions::http_filters::hmac_auth
