#include "source/jwt/key_set.h"

#include <catch2/catch.hpp>

#include "source/base/base64_url.h"
#include "source/base/text.h"
#include "source/jwt/test_key.h"

namespace sluice::jwt {
namespace {

using base::strCat;
using namespace testing;

struct Parsed {
  explicit Parsed(std::string_view json) : keys(KeySet::parse(json, skipped, error)) {}
  std::vector<std::string> skipped;
  std::string error;
  std::shared_ptr<const KeySet> keys;
};

std::string errorOf(std::string_view json) {
  const Parsed parsed(json);
  CHECK(parsed.keys == nullptr);
  return parsed.error;
}

// Of a set of this key and a good one; empty: it is taken.
std::string skipReason(const std::string& jwk) {
  const Parsed parsed(keySet({testing::jwk(keyFor("EdDSA")), jwk}));
  REQUIRE(parsed.keys != nullptr);
  CHECK(parsed.keys->keys().size() + parsed.skipped.size() == 2);
  return parsed.skipped.empty() ? "" : parsed.skipped[0];
}

bool verifies(const std::string& jwk, Algorithm algorithm, std::string_view text, std::string_view signature) {
  const Parsed parsed(keySet({jwk}));
  REQUIRE(parsed.keys != nullptr);
  const Key& key = *parsed.keys->keys()[0].key;
  std::string other(text);
  other.back() ^= 1;
  CHECK_FALSE(key.verifies(algorithm, other, signature));
  return key.verifies(algorithm, text, signature);
}

// A token of an RFC, by the key there.
bool verifiesToken(const std::string& jwk, Algorithm algorithm, std::string_view token) {
  const size_t dot = token.rfind('.');
  return verifies(jwk, algorithm, token.substr(0, dot), base::fromBase64Url(token.substr(dot + 1)).value());
}

// The same with a member in the place of another.
std::string with(std::string jwk, std::string_view old_text, std::string_view new_text) {
  const size_t at = jwk.find(old_text);
  REQUIRE(at != std::string::npos);
  return jwk.replace(at, old_text.size(), new_text);
}

std::string rsa(std::string_view n, std::string_view e, std::string_view more = "") {
  return strCat(R"({"kty":"RSA","n":")", base::toBase64Url(n), R"(","e":")", base::toBase64Url(e), R"(")", more, "}");
}

// An odd number of so many bits.
std::string modulus(size_t bits) {
  std::string bytes((bits + 7) / 8, '\xff');
  bytes[0] = static_cast<char>(0xff >> ((8 - bits % 8) % 8));
  return bytes;
}

constexpr std::string_view kClaims =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
constexpr std::string_view kHobbit =
    "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwg"
    "YW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9m"
    "ZiB0by4";

TEST_CASE("the signatures of RFC 7515, appendix A are verified") {
  CHECK(verifiesToken(
      R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})",
      Algorithm::kHs256,
      strCat("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.", kClaims, ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")));
  CHECK(verifiesToken(
      R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
      R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"})",
      Algorithm::kEs256,
      strCat("eyJhbGciOiJFUzI1NiJ9.", kClaims,
             ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q")));
  CHECK(verifiesToken(
      R"({"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2)"
      "mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMd"
      "bBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
      R"(h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"})",
      Algorithm::kRs256,
      strCat("eyJhbGciOiJSUzI1NiJ9.", kClaims,
             ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdb"
             "F9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383"
             "LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWy"
             "wlVmtVrBp0igcN_IoypGlUPQGe77Rw")));
}

TEST_CASE("the signatures of RFC 7520 and RFC 8037 are verified") {
  CHECK(verifiesToken(
      R"({"kty":"RSA","kid":"bilbo.baggins@hobbiton.example","use":"sig","e":"AQAB","n":"n4EPtAOCc9AlkeQHPzHStgAbgs7)"
      "bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC"
      "0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtI"
      R"(QbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"})",
      Algorithm::kPs384,
      strCat("eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.", kHobbit,
             ".cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6"
             "_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3"
             "lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6G"
             "YmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw")));
  CHECK(verifiesToken(
      R"({"kty":"EC","kid":"bilbo.baggins@hobbiton.example","use":"sig","crv":"P-521","x":"AHKZLLOsCOzz5cY97ewNUajB95)"
      R"(7y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt","y":"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kf)"
      R"(mC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1"})",
      Algorithm::kEs512,
      strCat("eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.", kHobbit,
             ".AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDy"
             "YjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2")));
  CHECK(verifiesToken(R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})",
                      Algorithm::kEdDsa,
                      "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AI"
                      "bQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"));
}

TEST_CASE("a key takes algorithms of its own type, curve and length only") {
  const auto takes = [](const std::string& jwk) {
    const Parsed parsed(keySet({jwk}));
    std::string out;
    for (const std::string_view name : {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
                                        "EdDSA", "HS256", "HS384", "HS512"}) {
      if (parsed.keys->keys().at(0).key->takes(algorithmNamed(name).value())) out += strCat(name, " ");
    }
    return out;
  };
  CHECK(takes(jwk(keyFor("RS256"))) == "RS256 RS384 RS512 PS256 PS384 PS512 ");
  CHECK(takes(jwk(*makeEcKey("P-256"))) == "ES256 ");
  CHECK(takes(jwk(*makeEcKey("P-384"))) == "ES384 ");
  CHECK(takes(jwk(*makeEcKey("P-521"))) == "ES512 ");
  CHECK(takes(jwk(*makeEdKey())) == "EdDSA ");
  CHECK(takes(jwk(*makeSharedKey(std::string(32, 'a')))) == "HS256 ");
  CHECK(takes(jwk(*makeSharedKey(std::string(63, 'a')))) == "HS256 HS384 ");
  CHECK(takes(jwk(*makeSharedKey(std::string(64, 'a')))) == "HS256 HS384 HS512 ");
}

TEST_CASE("a key verifies nothing by an algorithm that it does not take") {
  const std::string text = "text";
  for (const std::string_view name : {"RS256", "ES256", "ES384", "ES512", "EdDSA", "HS256"}) {
    const Parsed parsed(keySet({jwk(keyFor(name))}));
    const Key& key = *parsed.keys->keys().at(0).key;
    const std::string signature = keyFor(name).sign(name, text);
    REQUIRE(key.verifies(algorithmNamed(name).value(), text, signature));
    for (const std::string_view other :
         {"RS384", "RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS512"}) {
      INFO(name << " as " << other);
      CHECK(key.verifies(algorithmNamed(other).value(), text, signature) == (name == other));
    }
  }
}

TEST_CASE("a signature has the exact length of its algorithm") {
  const std::string text = "text";
  for (const std::string_view name : {"RS256", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256"}) {
    INFO(name);
    const Parsed parsed(keySet({jwk(keyFor(name))}));
    const Key& key = *parsed.keys->keys().at(0).key;
    const Algorithm algorithm = algorithmNamed(name).value();
    const std::string signature = keyFor(name).sign(name, text);
    CHECK(key.verifies(algorithm, text, signature));
    CHECK_FALSE(key.verifies(algorithm, text, signature + '\0'));
    CHECK_FALSE(key.verifies(algorithm, text, std::string(1, '\0') + signature));
    CHECK_FALSE(key.verifies(algorithm, text, signature.substr(1)));
    CHECK_FALSE(key.verifies(algorithm, text, signature.substr(0, signature.size() - 1)));
    CHECK_FALSE(key.verifies(algorithm, text, ""));
    CHECK_FALSE(key.verifies(algorithm, text, std::string(signature.size(), '\0')));
    CHECK_FALSE(key.verifies(algorithm, text, std::string(signature.size(), '\xff')));
  }
}

TEST_CASE("a signature of RSA has the salt and the hash of its algorithm") {
  const std::string text = "text", key = jwk(keyFor("RS256"));
  const std::string signature = keyFor("RS256").sign("PS384", text);
  CHECK(verifies(key, Algorithm::kPs384, text, signature));
  CHECK_FALSE(verifies(key, Algorithm::kPs256, text, signature));
  CHECK_FALSE(verifies(key, Algorithm::kPs512, text, signature));
  CHECK_FALSE(verifies(key, Algorithm::kRs384, text, signature));
}

TEST_CASE("a text that is no key set has an error") {
  const std::string no_json = "the key set must be a JSON object in which no object has two members of one name";
  for (const std::string_view text : {"", "[]", "null", "{\"keys\":[", "{\"keys\":[],\"keys\":[]}",
                                      R"({"keys":[{"kty":"RSA","kty":"oct"}]})", "-----BEGIN PUBLIC KEY-----"}) {
    INFO(text);
    CHECK(errorOf(text) == no_json);
  }
  CHECK(errorOf(R"({"keys":)" + std::string(40, '[') + std::string(40, ']') + "}") == no_json);
  for (const std::string_view text : {"{}", R"({"keys":{}})", R"({"keys":"a"})", R"({"Keys":[]})"}) {
    CHECK(errorOf(text) == "the key set has no list 'keys'");
  }
  CHECK(errorOf(jwk(keyFor("EdDSA"))) == "the key set has no list 'keys'");
  CHECK(errorOf(R"({"keys":[]})") == "the key set has no key that may verify signatures");
  CHECK(errorOf(R"({"keys":[7]})") == "the key set has no key that may verify signatures");
}

TEST_CASE("a key set is bounded in bytes and in keys") {
  const std::string good = jwk(keyFor("EdDSA"));
  const std::string set = keySet({good});
  CHECK(Parsed(set + std::string(KeySet::kMaxText - set.size(), ' ')).keys != nullptr);
  CHECK(errorOf(set + std::string(KeySet::kMaxText + 1 - set.size(), ' ')) ==
        "the key set is larger than 1048576 bytes");

  CHECK(Parsed(keySet(std::vector<std::string>(KeySet::kMaxKeys, good))).keys->keys().size() == KeySet::kMaxKeys);
  CHECK(errorOf(keySet(std::vector<std::string>(KeySet::kMaxKeys + 1, good))) == "the key set has more than 1000 keys");
}

TEST_CASE("keys that do not verify signatures are left out, with their place and reason") {
  const Parsed parsed(keySet({R"({"kty":"oct","k":"c2hvcnQ"})", jwk(keyFor("ES256"), R"("kid":"a","alg":"ES256")"), "3",
                              jwk(keyFor("RS256"), R"("use":"enc")"), jwk(keyFor("EdDSA"))}));
  REQUIRE(parsed.keys != nullptr);
  CHECK(parsed.error.empty());
  CHECK(parsed.skipped == std::vector<std::string>{
                              "keys[0]: a shared key must have at least as many bytes as the hash: 32 for HS256",
                              "keys[2]: a key must be an object",
                              "keys[3]: 'use' and 'key_ops' do not say that it verifies signatures",
                          });
  REQUIRE(parsed.keys->keys().size() == 2);
  CHECK(parsed.keys->keys()[0].id == "a");
  CHECK(parsed.keys->keys()[0].algorithm == Algorithm::kEs256);
  CHECK(parsed.keys->keys()[1].id.empty());
  CHECK(parsed.keys->keys()[1].algorithm == std::nullopt);
}

TEST_CASE("a key says what it is for") {
  const TestKey& key = keyFor("ES256");
  for (const char* more :
       {"", R"("use":"sig")", R"("key_ops":["verify"])", R"("key_ops":["sign","verify"],"use":"sig")",
        R"("kid":"a","alg":"ES256","x5c":["no"],"ext":true)"}) {
    INFO(more);
    CHECK(skipReason(jwk(key, more)).empty());
  }
  for (const char* more : {R"("use":"enc")", R"("use":"Sig")", R"("use":1)", R"("use":null)", R"("key_ops":[])",
                           R"("key_ops":["sign"])", R"("key_ops":"verify")", R"("key_ops":[1,["verify"]])",
                           R"("use":"enc","key_ops":["verify"])", R"("use":"sig","key_ops":["encrypt"])"}) {
    INFO(more);
    CHECK(skipReason(jwk(key, more)) == "keys[1]: 'use' and 'key_ops' do not say that it verifies signatures");
  }
  CHECK(skipReason(jwk(key, R"("kid":7)")) == "keys[1]: 'kid' must be a text");
  for (const char* alg :
       {R"("ES384")", R"("RS256")", R"("HS256")", R"("none")", R"("ECDH-ES")", R"("es256")", "7", "null"}) {
    INFO(alg);
    CHECK(skipReason(jwk(key, strCat(R"("alg":)", alg))) ==
          "keys[1]: 'alg' is no signature that a key of this type, curve and length may verify");
  }
  CHECK(skipReason(jwk(keyFor("RS256"), R"("alg":"RSA-OAEP")")).ends_with("may verify"));
  CHECK(skipReason(jwk(*makeSharedKey(std::string(32, 'a')), R"("alg":"HS512")")).ends_with("may verify"));
  CHECK(skipReason(jwk(*makeSharedKey(std::string(64, 'a')), R"("alg":"HS512")")).empty());
  for (const char* type : {R"({"kty":"rsa"})", R"({"kty":"DH"})", R"({"kty":1})", "{}"}) {
    CHECK(skipReason(type) == "keys[1]: 'kty' must be RSA, EC, OKP or oct");
  }
}

TEST_CASE("weak and broken RSA keys are left out") {
  const std::string exponent("\x01\x00\x01", 3);
  CHECK(skipReason(rsa(modulus(2048), exponent)).empty());
  CHECK(skipReason(rsa(modulus(8192), exponent)).empty());
  CHECK(skipReason(rsa(std::string(1, '\0') + modulus(2048), std::string(1, '\0') + exponent)).empty());
  const std::string bits = "keys[1]: an RSA key must have 2048 to 8192 bits and be odd";
  CHECK(skipReason(rsa(modulus(1024), exponent)) == bits);
  CHECK(skipReason(rsa(modulus(2047), exponent)) == bits);
  CHECK(skipReason(rsa(std::string(300, '\0') + modulus(1024), exponent)) == bits);
  CHECK(skipReason(rsa(modulus(8193), exponent)) == bits);
  CHECK(skipReason(rsa(std::string(100'000, '\xff'), exponent)) == bits);
  CHECK(skipReason(rsa("", exponent)) == bits);
  std::string even = modulus(2048);
  even.back() = '\xfe';
  CHECK(skipReason(rsa(even, exponent)) == bits);

  CHECK(skipReason(rsa(modulus(2048), "\x03")).empty());
  CHECK(skipReason(rsa(modulus(2048), "\xff\xff\xff\xff")).empty());
  for (const std::string& wrong :
       {std::string(), std::string(1, '\0'), std::string("\x01"), std::string("\x02"), std::string("\x01\x00\x00", 3),
        std::string("\x01\x00\x00\x00\x01", 5), modulus(2048)}) {
    CHECK(skipReason(rsa(modulus(2048), wrong)) ==
          "keys[1]: the exponent of an RSA key must be odd, at least 3 and of at most 32 bits");
  }
  const std::string base64 = "keys[1]: 'n' and 'e' must be base64url";
  CHECK(skipReason(with(rsa(modulus(2048), exponent), "AQAB", "AQAB=")) == base64);
  CHECK(skipReason(with(rsa(modulus(2048), exponent), "\"AQAB\"", "65537")) == base64);
  CHECK(skipReason(with(rsa(modulus(2048), exponent), "\"e\"", "\"f\"")) == base64);
  CHECK(skipReason(with(rsa(modulus(2048), exponent), "\"n\"", "\"m\"")) == base64);
}

TEST_CASE("points that are not on the curve, and other curves, are left out") {
  const std::string key = jwk(keyFor("ES256"));
  CHECK(skipReason(key).empty());
  CHECK(skipReason(with(key, "P-256", "P-384")) ==
        "keys[1]: 'x' and 'y' must be base64url of as many bytes as the curve has");
  for (const char* other : {"secp256k1", "P-224", "p-256", "Ed25519", ""}) {
    CHECK(skipReason(with(key, "P-256", other)) == "keys[1]: 'crv' must be P-256, P-384 or P-521");
  }
  CHECK(skipReason(jwk(*makeEcKey("secp224r1"))) == "keys[1]: 'crv' must be P-256, P-384 or P-521");
  const auto point = [](std::string_view x, std::string_view y) {
    return strCat(R"({"kty":"EC","crv":"P-256","x":")", base::toBase64Url(x), R"(","y":")", base::toBase64Url(y),
                  R"("})");
  };
  const std::string no_point = "keys[1]: 'x' and 'y' are no point of the curve";
  CHECK(skipReason(point(std::string(32, '\0'), std::string(32, '\0'))) == no_point);
  CHECK(skipReason(point(std::string(32, '\1'), std::string(32, '\1'))) == no_point);
  CHECK(skipReason(point(std::string(32, '\xff'), std::string(32, '\xff'))) == no_point);
  CHECK(skipReason(point(std::string(33, '\0'), std::string(32, '\0'))).ends_with("as the curve has"));
  CHECK(skipReason(point("", "")).ends_with("as the curve has"));
}

TEST_CASE("keys of Ed25519 have 32 bytes") {
  const std::string key = jwk(keyFor("EdDSA"));
  for (const char* other : {"Ed448", "X25519", "ed25519", "P-256"}) {
    CHECK(skipReason(with(key, "Ed25519", other)) == "keys[1]: 'crv' must be Ed25519");
  }
  const auto sized = [](size_t size) {
    return strCat(R"({"kty":"OKP","crv":"Ed25519","x":")", base::toBase64Url(std::string(size, 'x')), R"("})");
  };
  for (const size_t size : {0, 31, 33, 64})
    CHECK(skipReason(sized(size)) == "keys[1]: 'x' must be base64url of 32 bytes");
}

TEST_CASE("shared keys shorter than the hash are left out, and never stand in a reason") {
  CHECK(skipReason(jwk(*makeSharedKey(std::string(32, 'a')))).empty());
  CHECK(skipReason(jwk(*makeSharedKey(std::string(31, 'a')))).ends_with("32 for HS256"));
  CHECK(skipReason(jwk(*makeSharedKey(""))).ends_with("32 for HS256"));
  for (const char* k : {R"("YWFh YWFh")", R"("secret!")", "7"}) {
    CHECK(skipReason(strCat(R"({"kty":"oct","k":)", k, "}")) == "keys[1]: 'k' must be base64url");
  }
}

}  // namespace
}  // namespace sluice::jwt
