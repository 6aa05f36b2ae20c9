#include "source/jwt/token.h"

#include <catch2/catch.hpp>
#include <set>

#include "source/base/base64_url.h"
#include "source/base/text.h"
#include "source/jwt/test_key.h"

namespace sluice::jwt {
namespace {

using base::strCat;
using base::toBase64Url;
using namespace testing;

constexpr std::string_view kAlgorithms[] = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
                                            "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512"};

Token parsed(std::string text) {
  auto result = parse(std::move(text));
  REQUIRE(std::holds_alternative<Token>(result));
  return std::get<Token>(std::move(result));
}

Failure failureOf(std::string text) {
  const auto result = parse(std::move(text));
  const Failure* const failure = std::get_if<Failure>(&result);
  return failure == nullptr ? Failure::kNone : *failure;
}

// Of a token with these claims, or with more of a header.
Failure ofClaims(std::string_view claims) {
  return failureOf(token("HS256", claims));
}
Failure ofHeader(std::string_view more) {
  return failureOf(token("HS256", "{}", more));
}

Failure verified(std::string text, const std::vector<std::string>& jwks) {
  std::vector<std::string> skipped;
  std::string error;
  const auto keys = KeySet::parse(keySet(jwks), skipped, error);
  REQUIRE(keys != nullptr);
  CHECK(skipped.empty());
  size_t tries = kMaxTries;
  return verify(parsed(std::move(text)), *keys, tries);
}

std::string replaced(std::string text, std::string_view old_text, std::string_view new_text) {
  const size_t at = text.find(old_text);
  REQUIRE(at != std::string::npos);
  return text.replace(at, old_text.size(), new_text);
}

TEST_CASE("algorithms are known by their exact names") {
  std::set<Algorithm> known;
  for (const std::string_view name : kAlgorithms) known.insert(algorithmNamed(name).value());
  CHECK(known.size() == 13);
  for (const char* other : {"none", "None", "NONE", "nOnE", "", "rs256", "RS256 ", " RS256", "RS1", "ES256K", "HS1",
                            "Ed25519", "RSA-OAEP", "dir", "A128KW"}) {
    CHECK(algorithmNamed(other) == std::nullopt);
  }
}

TEST_CASE("a token of each algorithm is verified by its key, and by no other") {
  for (const std::string_view name : kAlgorithms) {
    INFO(name);
    const std::string text = token(name, R"({"sub":"me"})");
    const std::string own = jwk(keyFor(name));
    CHECK(parsed(text).algorithm == algorithmNamed(name));
    CHECK(verified(text, {own}) == Failure::kNone);
    CHECK(verified(text, {jwk(keyFor(name), strCat(R"("alg":")", name, R"(")"))}) == Failure::kNone);

    std::vector<std::string> others;
    for (const std::string_view other : kAlgorithms) {
      if (jwk(keyFor(other)) != own) others.push_back(jwk(keyFor(other)));
    }
    CHECK(verified(text, others) == Failure::kUnknownKey);
    others.push_back(own);
    CHECK(verified(text, others) == Failure::kNone);
  }
}

TEST_CASE("a changed text or signature does not verify") {
  for (const std::string_view name : kAlgorithms) {
    INFO(name);
    const Token good = parsed(token(name, R"({"sub":"me"})"));
    const std::string other_claims = strCat(good.text.substr(0, good.text.find('.')), ".",
                                            toBase64Url(R"({"sub":"you"})"), ".", toBase64Url(good.signature));
    CHECK(verified(other_claims, {jwk(keyFor(name))}) == Failure::kSignature);
    std::string signature = good.signature;
    signature[signature.size() / 2] ^= 1;
    CHECK(verified(strCat(good.signed_text, ".", toBase64Url(signature)), {jwk(keyFor(name))}) == Failure::kSignature);
    CHECK(verified(strCat(good.signed_text, ".", toBase64Url(good.signature + "x")), {jwk(keyFor(name))}) ==
          Failure::kSignature);
  }
}

TEST_CASE("a public key is no secret") {
  const std::string rsa = jwk(keyFor("RS256"));
  const std::string forged = tokenOf(*makeSharedKey(rsa), "HS256", R"({"alg":"HS256"})", "{}");
  CHECK(verified(forged, {rsa}) == Failure::kUnknownKey);
  CHECK(verified(forged, {rsa, jwk(keyFor("HS256"))}) == Failure::kSignature);
}

TEST_CASE("a key is taken by its alg and its kid, where both sides have one") {
  const TestKey& key = keyFor("RS256");
  const std::string plain = token("RS256", "{}"), with_kid = token("RS256", "{}", R"("kid":"a")");
  CHECK(verified(plain, {jwk(key)}) == Failure::kNone);
  CHECK(verified(plain, {jwk(key, R"("kid":"a")")}) == Failure::kNone);
  CHECK(verified(with_kid, {jwk(key)}) == Failure::kNone);
  CHECK(verified(with_kid, {jwk(key, R"("kid":"a")")}) == Failure::kNone);
  CHECK(verified(with_kid, {jwk(key, R"("kid":"A")")}) == Failure::kUnknownKey);
  CHECK(verified(with_kid, {jwk(key, R"("kid":"b")"), jwk(key, R"("kid":"a","alg":"RS256")")}) == Failure::kNone);
  CHECK(verified(plain, {jwk(key, R"("alg":"PS256")")}) == Failure::kUnknownKey);
  CHECK(verified(token("PS256", "{}"), {jwk(key, R"("alg":"RS256")")}) == Failure::kUnknownKey);
  CHECK(verified(with_kid, {jwk(keyFor("ES256"), R"("kid":"a")"), jwk(key, R"("kid":"b")")}) == Failure::kUnknownKey);
}

TEST_CASE("of several keys that fit any may have signed") {
  const std::string mine = jwk(keyFor("ES256"), R"("kid":"a")"), other = jwk(*makeEcKey("P-256"), R"("kid":"a")");
  const std::string text = token("ES256", "{}", R"("kid":"a")");
  CHECK(verified(text, {other, mine}) == Failure::kNone);
  CHECK(verified(text, {mine, other}) == Failure::kNone);
  CHECK(verified(text, {other, other}) == Failure::kSignature);
}

TEST_CASE("of many keys that fit so many are tried as is said, for all tokens together") {
  std::vector<std::string> jwks(3, jwk(*makeSharedKey(std::string(32, 'x'))));
  jwks.push_back(jwk(keyFor("HS256")));
  std::vector<std::string> skipped;
  std::string error;
  const auto keys = KeySet::parse(keySet(jwks), skipped, error);
  REQUIRE(keys != nullptr);
  const Token good = parsed(token("HS256", "{}"));
  size_t tries = 7;

  CHECK(verify(good, *keys, tries) == Failure::kNone);
  CHECK(tries == 3);
  CHECK(verify(good, *keys, tries) == Failure::kSignature);
  CHECK(tries == 0);
  CHECK(verify(parsed(token("RS256", "{}")), *keys, tries) == Failure::kUnknownKey);
}

TEST_CASE("a token brings no key of its own") {
  const auto stranger = makeEcKey("P-256");
  const std::string header =
      strCat(R"({"alg":"ES256","jwk":)", jwk(*stranger),
             R"(,"jku":"https://evil.example/keys","x5u":"https://evil.example/x","x5c":["MII"]})");
  CHECK(verified(tokenOf(*stranger, "ES256", header, "{}"), {jwk(keyFor("ES256"))}) == Failure::kSignature);
}

TEST_CASE("a shared key shorter than the hash does not verify by it") {
  const auto key = makeSharedKey(std::string(32, 'a'));
  CHECK(verified(tokenOf(*key, "HS256", R"({"alg":"HS256"})", "{}"), {jwk(*key)}) == Failure::kNone);
  CHECK(verified(tokenOf(*key, "HS384", R"({"alg":"HS384"})", "{}"), {jwk(*key)}) == Failure::kUnknownKey);
}

TEST_CASE("a token tells what it says, and owns its text") {
  const std::string claims =
      R"({"iss":"https://a.example","sub":"me","jti":"7","aud":["x","y"],"exp":1.5e9,"nbf":-1,"iat":0.25,"n":{"m":true}})";
  Token first = parsed(token("HS256", claims, R"("kid":"k","typ":"JWT","cty":"text/plain","other":[1])"));
  const std::string text = first.text;
  const Token moved = std::move(first);

  CHECK(moved.algorithm == Algorithm::kHs256);
  CHECK(moved.kid == "k");
  CHECK(moved.issuer == "https://a.example");
  CHECK(moved.subject == "me");
  CHECK(moved.id == "7");
  CHECK(moved.audiences == std::vector<std::string>{"x", "y"});
  CHECK(moved.expires == 1.5e9);
  CHECK(moved.not_before == -1);
  CHECK(moved.issued == 0.25);
  CHECK(std::get<bool>(stream::findMetadata(moved.claims, "n", {"m"})->value));
  CHECK(stream::findMetadata(moved.header, "other", {}) != nullptr);
  CHECK(moved.text == text);
  CHECK(moved.signed_text == text.substr(0, text.rfind('.')));
  CHECK(moved.payload == toBase64Url(claims));
  CHECK(strCat(moved.signed_text, ".", toBase64Url(moved.signature)) == text);
  CHECK(moved.payload.data() > moved.text.data());
  CHECK(moved.payload.data() < moved.text.data() + moved.text.size());
}

TEST_CASE("a token without claims says nothing") {
  const Token token_without = parsed(token("HS256", " { } "));
  CHECK(token_without.kid.empty());
  CHECK(token_without.issuer.empty());
  CHECK(token_without.audiences.empty());
  CHECK(token_without.expires == std::nullopt);
  CHECK(token_without.not_before == std::nullopt);
  CHECK(token_without.issued == std::nullopt);
  CHECK(token_without.claims.empty());
}

TEST_CASE("a token has three parts of base64url, none of them empty") {
  const Token good = parsed(token("HS256", "{}"));
  const std::string& text = good.text;
  const std::string header = text.substr(0, text.find('.')), signature = text.substr(text.rfind('.') + 1);
  for (const std::string& bad : {std::string(),
                                 std::string("."),
                                 std::string(".."),
                                 std::string("..."),
                                 std::string("x"),
                                 header,
                                 strCat(header, ".", signature),
                                 strCat(header, "..", signature),
                                 strCat(".", good.payload, ".", signature),
                                 strCat(header, ".", good.payload, "."),
                                 text + ".",
                                 "." + text,
                                 strCat(text, ".", signature),
                                 strCat(text, ".", header, ".", signature),
                                 " " + text,
                                 text + " ",
                                 text + "\n",
                                 "Bearer " + text,
                                 text + "=",
                                 text + ",",
                                 replaced(text, ".", ". "),
                                 replaced(text, ".", "=."),
                                 strCat(header, ".e30=.", signature),
                                 strCat(header, ".e31.", signature),
                                 strCat(header, ".e3.", signature),
                                 std::string(text).append(1, '\0')}) {
    INFO(bad);
    CHECK(failureOf(bad) == Failure::kMalformed);
  }
}

TEST_CASE("a token has 64 KiB at most") {
  const auto sized = [](size_t size) { return std::string(size, 'a'); };
  CHECK(failureOf(sized(kMaxToken)) == Failure::kMalformed);
  CHECK(failureOf(sized(kMaxToken + 1)) == Failure::kTooLarge);
  CHECK(ofClaims(strCat(R"({"a":")", sized(48'000), R"("})")) == Failure::kNone);
  CHECK(ofClaims(strCat(R"({"a":")", sized(50'000), R"("})")) == Failure::kTooLarge);
}

TEST_CASE("header and claims are objects of JSON in one meaning") {
  const TestKey& key = keyFor("HS256");
  for (const std::string_view bad :
       {"", "null", "[]", "7", "\"a\"", "{", "{}{}", R"({"a":1,"a":1})", R"({"o":{"a":1,"a":2}})",
        R"({"iss":"a","\u0069ss":"b"})", "{\"a\":\"\xff\"}", "\xef\xbb\xbf{}", R"({"a":1e999})", R"({"a":"\ud800"})"}) {
    INFO(bad);
    CHECK(ofClaims(bad) == Failure::kMalformed);
    CHECK(failureOf(tokenOf(key, "HS256", bad, "{}")) == Failure::kMalformed);
  }
  CHECK(ofClaims(strCat(R"({"a":)", std::string(32, '['), std::string(32, ']'), "}")) == Failure::kMalformed);
  CHECK(failureOf(tokenOf(key, "HS256", R"({"alg":"HS256","alg":"HS256"})", "{}")) == Failure::kMalformed);
  CHECK(failureOf(tokenOf(key, "HS256", R"({"alg":"none","alg":"HS256"})", "{}")) == Failure::kMalformed);
}

TEST_CASE("a header must name an algorithm that is known") {
  const auto of = [](std::string_view header) { return failureOf(tokenOf(keyFor("HS256"), "HS256", header, "{}")); };
  CHECK(of("{}") == Failure::kMalformed);
  CHECK(of(R"({"Alg":"HS256"})") == Failure::kMalformed);
  for (const char* alg : {"null", "1", "true", R"(["HS256"])", R"({"a":1})"}) {
    CHECK(of(strCat(R"({"alg":)", alg, "}")) == Failure::kMalformed);
  }
  for (const char* alg :
       {"none", "None", "NONE", "nOnE", "", "hs256", "HS256 ", "HS512/256", "dir", "RSA-OAEP", "PBES2-HS256+A128KW"}) {
    CHECK(of(strCat(R"({"alg":")", alg, R"("})")) == Failure::kAlgorithm);
  }
  // Of "none" the signature is empty.
  CHECK(failureOf(strCat(toBase64Url(R"({"alg":"none"})"), ".", toBase64Url("{}"), ".")) == Failure::kAlgorithm);
}

TEST_CASE("encrypted, compressed and nested tokens, and what must be understood, are refused") {
  for (const char* more :
       {R"("crit":["exp"])", R"("crit":[])", R"("crit":["b64"],"b64":false)", R"("b64":false)", R"("b64":true)",
        R"("enc":"A128GCM")", R"("zip":"DEF")", R"("cty":"JWT")", R"("cty":"jwt")", R"("cty":"application/jwt")",
        R"("cty":7)", R"("typ":7)", R"("kid":7)", R"("kid":null)", R"("kid":["a"])"}) {
    INFO(more);
    CHECK(ofHeader(more) == Failure::kMalformed);
  }
  for (const char* more :
       {R"("typ":"JWT")", R"("typ":"at+jwt")", R"("kid":"")", R"("cty":"json")", R"("x":{"crit":1})"}) {
    INFO(more);
    CHECK(ofHeader(more) == Failure::kNone);
  }
  CHECK(ofClaims(token("HS256", "{}")) == Failure::kMalformed);
  CHECK(failureOf("eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AAAAAAAAAAAAAAAA.AA.AAAAAAAAAAAAAAAAAAAAAA") ==
        Failure::kMalformed);
}

TEST_CASE("claims have the types that they should") {
  for (const char* name : {"iss", "sub", "jti"}) {
    for (const char* value : {"1", "null", "true", "[]", R"(["a"])", "{}"}) {
      INFO(name << value);
      CHECK(ofClaims(strCat(R"({")", name, R"(":)", value, "}")) == Failure::kMalformed);
    }
  }
  for (const char* name : {"exp", "nbf", "iat"}) {
    for (const char* value : {R"("1")", "null", "true", "[1]", "{}", "1e400", "-1e400", "NaN", "0x10"}) {
      INFO(name << value);
      CHECK(ofClaims(strCat(R"({")", name, R"(":)", value, "}")) == Failure::kMalformed);
    }
    for (const char* value : {"0", "-1", "1.5", "1e300", "18446744073709551616", "-0"}) {
      INFO(name << value);
      CHECK(ofClaims(strCat(R"({")", name, R"(":)", value, "}")) == Failure::kNone);
    }
  }
  for (const char* value : {"1", "null", "{}", "[1]", R"(["a",1])", R"(["a",null])", R"([["a"]])"}) {
    INFO(value);
    CHECK(ofClaims(strCat(R"({"aud":)", value, "}")) == Failure::kMalformed);
  }
  CHECK(parsed(token("HS256", R"({"aud":"one"})")).audiences == std::vector<std::string>{"one"});
  CHECK(parsed(token("HS256", R"({"aud":[]})")).audiences.empty());
}

TEST_CASE("thousands of members are looked through for two of one name") {
  std::string claims = "{";
  for (int i = 0; i < 5000; ++i) base::strAppend(claims, i == 0 ? "" : ",", "\"", i, "\":0");
  CHECK(ofClaims(claims + "}") == Failure::kNone);
  CHECK(ofClaims(claims + ",\"5\":0}") == Failure::kMalformed);
}

TEST_CASE("each failure has a name of its own") {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Failure::kNoKeys); ++i) names.insert(nameOf(static_cast<Failure>(i)));
  CHECK(names.size() == static_cast<size_t>(Failure::kNoKeys) + 1);
  CHECK(nameOf(Failure::kExpired) == "jwt_expired");
  for (const std::string_view name : names)
    CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos);
}

}  // namespace
}  // namespace sluice::jwt
