#include "source/extensions/filters/http/basic_auth/password_hash.h"

#include <catch2/catch.hpp>

#include <string>

namespace sluice::extensions::http_filters::basic_auth {
namespace {

// Of "sesame", made by other programs.
const std::string kSha = "{SHA}CEo1Ae3vaEXy8eQZjsOiuBz1xrw=";
const std::string kBcryptRest = "04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/TgnMHhkvl85RW";
const std::string kShaCrypt =
    "$6$rounds=1000$saltsalt$5Oji4y.RQw4TBqlwXcGLBsxSL7.Pw5hdIpFnzMJTl.OaKsU3EiPTP5NseI3oKDT8iioErVqshwXGd40hlWBLx1";
const std::string kScrypt = "$7$6U..../....2Q9obwLhin8qvQl6sisAO/$TDAnv0MDhyro2YC3bDd3aztop0MtUVFKr49wpuwAGj1";
const std::string kYescrypt = "$y$j75$F5Jx5fExrKuPp53xLKQ..1$mGF52sXsmPqli7L1Qch6SAIA75VNm9N82BcMwpC3fH9";
const std::string kArgon2 = "$argon2id$v=19$m=64,t=1,p=2$c2FsdHNhbHQ$o83BTm/03R3cgwjnIrQwOQ9VyBcMwK+dHitsV0XK9p4";

TEST_CASE("the right password matches, and no other, for each kind of hash") {
  for (const std::string& text : {kSha, "$2a$" + kBcryptRest, "$2b$" + kBcryptRest, "$2y$" + kBcryptRest, kShaCrypt,
                                  kScrypt, kYescrypt, kArgon2}) {
    INFO(text);
    const auto hash = PasswordHash::parse(text);
    REQUIRE(hash);
    CHECK(hash->isSlow() == (text != kSha));
    CHECK(hash->matches("sesame"));
    for (const char* wrong : {"", "sesam", "sesame ", "Sesame", "sesame1"}) CHECK_FALSE(hash->matches(wrong));
    CHECK_FALSE(hash->matches(std::string("sesame\0x", 8)));
    CHECK_FALSE(hash->matches(std::string(600, 'a')));
    CHECK_FALSE(hash->matches(text));
  }
}

TEST_CASE("a password may have any bytes but NUL") {
  const auto hash = PasswordHash::parse("$2b$04$abcdefghijklmnopqrstuuCgiqju8AcBys45b7RBGhsxwku.EjMTG");
  REQUIRE(hash);
  CHECK(hash->matches("p\xc3\xa4ssword:x"));
}

TEST_CASE("what is no whole hash of a known kind is none") {
  for (const std::string& text : {std::string(),
                                  std::string("sesame"),
                                  std::string("{SHA}"),
                                  std::string("{SHA}CEo1"),
                                  std::string("{SHA}!Eo1Ae3vaEXy8eQZjsOiuBz1xrw="),
                                  std::string("$apr1$a$b"),
                                  std::string("$1$salt$qJH7.N4xYta3aEG/dfqo/0"),
                                  std::string("$"),
                                  std::string("$2b$"),
                                  std::string("$6$"),
                                  std::string("$6$rounds="),
                                  std::string("$7$"),
                                  std::string("$y$j"),
                                  "$2b$" + kBcryptRest.substr(1),
                                  "$2b$" + kBcryptRest + "x",
                                  "$2x$" + kBcryptRest,
                                  kShaCrypt.substr(0, 100),
                                  kScrypt + ".",
                                  kYescrypt + " ",
                                  kYescrypt.substr(1),
                                  kArgon2 + ".",
                                  kArgon2.substr(1),
                                  "$6$" + std::string(400, 'a') + kShaCrypt}) {
    INFO(text);
    CHECK_FALSE(PasswordHash::parse(text));
  }
}

TEST_CASE("a hash that would take too long is none") {
  const auto bcrypt = [](const char* cost) { return "$2b$" + (cost + kBcryptRest.substr(2)); };
  CHECK(PasswordHash::parse(bcrypt("15")));
  CHECK_FALSE(PasswordHash::parse(bcrypt("16")));
  CHECK_FALSE(PasswordHash::parse(bcrypt("-4")));
  const auto rounds = [](const char* rounds) {
    return std::string("$6$rounds=") + rounds + kShaCrypt.substr(std::string("$6$rounds=1000").size());
  };
  CHECK(PasswordHash::parse(rounds("1000000")));
  CHECK_FALSE(PasswordHash::parse(rounds("1000001")));
  CHECK_FALSE(PasswordHash::parse(rounds("99999999999999999999")));
  CHECK(PasswordHash::parse("$7$E" + kScrypt.substr(4)));
  CHECK_FALSE(PasswordHash::parse("$7$F" + kScrypt.substr(4)));
  CHECK_FALSE(PasswordHash::parse("$7$6.U.../...." + kScrypt.substr(14)));
  CHECK_FALSE(PasswordHash::parse("$7$6U..../U..." + kScrypt.substr(14)));
  CHECK(PasswordHash::parse("$y$jDT" + kYescrypt.substr(6)));
  CHECK_FALSE(PasswordHash::parse("$y$jET" + kYescrypt.substr(6)));
  CHECK_FALSE(PasswordHash::parse("$y$j7z" + kYescrypt.substr(6)));
  CHECK_FALSE(PasswordHash::parse("$y$j75/" + kYescrypt.substr(6)));
}

}  // namespace
}  // namespace sluice::extensions::http_filters::basic_auth
