#include "source/extensions/filters/http/hmac_auth/body_digest.h"

#include <catch2/catch.hpp>

#include <string>

namespace sluice::extensions::http_filters::hmac_auth {
namespace {

// The examples of RFC 9530.
const std::string kBody = R"({"hello": "world"})";
const std::string k256 = "X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=";
const std::string k512 = "WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==";
const std::string kEmpty256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

void checkMatches(const std::optional<BodyDigest>& digest) {
  REQUIRE(digest);
  CHECK(digest->matches(kBody));
  CHECK_FALSE(digest->matches(kBody + "\n"));
  CHECK_FALSE(digest->matches(""));
}

TEST_CASE("a content-digest is that of a body") {
  checkMatches(BodyDigest::readContentDigest("sha-256=:" + k256 + ":"));
  checkMatches(BodyDigest::readContentDigest("sha-512=:" + k512 + ":"));
  checkMatches(BodyDigest::readContentDigest("sha-512=:" + k512 + ":, sha-256=:" + k256 + ":, md5=:AAAA:"));
  CHECK(BodyDigest::readContentDigest("sha-256=:" + kEmpty256 + ":")->matches(""));
}

TEST_CASE("a digest is that of a body") {
  checkMatches(BodyDigest::readDigest("SHA-256=" + k256));
  checkMatches(BodyDigest::readDigest("sha-512=" + k512));
  checkMatches(BodyDigest::readDigest("md5=xxx, SHA-256=" + k256 + ",SHA-512=" + k512));
}

TEST_CASE("every digest has to match") {
  const auto digest = BodyDigest::readContentDigest("sha-512=:" + k512 + ":, sha-256=:" + kEmpty256 + ":");
  REQUIRE(digest);
  CHECK_FALSE(digest->matches(kBody));
  CHECK_FALSE(digest->matches(""));
}

TEST_CASE("what cannot be read, or says nothing, is no digest") {
  for (const std::string& text :
       {std::string(), std::string("md5=:AAAA:"), "sha-256=" + k256, "sha-256=:" + k256, "SHA-256=:" + k256 + ":",
        "sha-256=:" + k512 + ":", std::string("sha-256=:AAAA:"), std::string("sha-256=::"), std::string("sha-256"),
        "sha-256=(:" + k256 + ":)", "sha-256=:" + k256 + ":, sha-256=:" + k256 + ":", "sha-256=:" + k256 + ":, !"}) {
    INFO(text);
    CHECK_FALSE(BodyDigest::readContentDigest(text));
  }
  for (const std::string& text :
       {std::string(), std::string("md5=AAAA"), std::string("SHA-256"), std::string("SHA-256="), "SHA-256=" + k512,
        "SHA-256=" + k256 + "=", "SHA-256=" + k256.substr(0, 43), "SHA-256=" + k256 + ",SHA-256=" + k256,
        "SHA-256=:" + k256 + ":"}) {
    INFO(text);
    CHECK_FALSE(BodyDigest::readDigest(text));
  }
}

}  // namespace
}  // namespace sluice::extensions::http_filters::hmac_auth
