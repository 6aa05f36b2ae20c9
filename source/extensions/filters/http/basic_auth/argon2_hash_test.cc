#include "source/extensions/filters/http/basic_auth/argon2_hash.h"

#include <catch2/catch.hpp>

#include <string>

namespace sluice::extensions::http_filters::basic_auth {
namespace {

const std::string kSalt = "$c29tZXNhbHQ";  // somesalt
const std::string kDigest = "$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
const std::string kHash = "$argon2id$v=19$m=256,t=2,p=1" + kSalt + kDigest;

std::string withCosts(const std::string& costs) {
  return "$argon2id$v=19$" + costs + kSalt + kDigest;
}

TEST_CASE("a hash of the reference implementation's tests matches its password and no other") {
  for (const std::string& text :
       {kHash, "$argon2id$v=19$m=256,t=2,p=2" + kSalt + "$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        "$argon2id$v=19$m=65536,t=2,p=1" + kSalt + "$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"}) {
    INFO(text);
    const auto hash = Argon2Hash::parse(text);
    REQUIRE(hash);
    CHECK(hash->matches("password"));
    CHECK(hash->matches("password"));
    CHECK_FALSE(hash->matches("passwore"));
    CHECK_FALSE(hash->matches(""));
    CHECK_FALSE(hash->matches(std::string("password\0", 9)));
  }
}

TEST_CASE("memory, time and lanes are bounded") {
  for (const char* costs : {"m=262144,t=4,p=1", "m=65536,t=16,p=1", "m=8,t=131072,p=1", "m=128,t=1,p=16"}) {
    INFO(costs);
    CHECK(Argon2Hash::parse(withCosts(costs)));
  }
  for (const char* costs :
       {"m=262145,t=1,p=1", "m=262144,t=5,p=1", "m=65536,t=17,p=1", "m=8,t=131073,p=1", "m=8,t=4294967295,p=1",
        "m=262144,t=4294967295,p=1", "m=136,t=1,p=17", "m=15,t=1,p=2", "m=7,t=1,p=1", "m=256,t=0,p=1", "m=256,t=1,p=0",
        "m=0,t=1,p=1", "m=4294967552,t=2,p=1", "m=256,t=2,p=536870913"}) {
    INFO(costs);
    CHECK_FALSE(Argon2Hash::parse(withCosts(costs)));
  }
}

TEST_CASE("what is not written as the tools write it is no hash") {
  const std::string head = "$argon2id$v=19$m=256,t=2,p=1";
  for (const std::string& text : {"$argon2i$v=19$m=256,t=2,p=1" + kSalt + kDigest,
                                  "$argon2d$v=19$m=256,t=2,p=1" + kSalt + kDigest,
                                  "$argon2id$v=16$m=256,t=2,p=1" + kSalt + kDigest,
                                  "$argon2id$m=256,t=2,p=1" + kSalt + kDigest,
                                  withCosts("t=2,m=256,p=1"),
                                  withCosts("m=256,t=2,p=1,keyid=a"),
                                  withCosts("m=0256,t=2,p=1"),
                                  withCosts("m= 256,t=2,p=1"),
                                  withCosts("m=+256,t=2,p=1"),
                                  withCosts("m=-256,t=2,p=1"),
                                  withCosts("m=256,t=2"),
                                  withCosts(""),
                                  head + "$" + kDigest,
                                  head + "$c29tZXM" + kDigest,  // 5 bytes
                                  head + kSalt + "=" + kDigest,
                                  head + "$c29t ZXNhbHQ" + kDigest,
                                  head + kSalt,
                                  head + kSalt + "$",
                                  head + kSalt + "$nf65EOgLrQMR",
                                  head + kSalt + "$" + std::string(88, 'A'),
                                  kHash + "=",
                                  kHash + " ",
                                  kHash + "$",
                                  kHash.substr(0, kHash.size() - 1) + "5",  // a bit left over
                                  std::string("$argon2id$"),
                                  std::string()}) {
    INFO(text);
    CHECK_FALSE(Argon2Hash::parse(text));
  }
}

}  // namespace
}  // namespace sluice::extensions::http_filters::basic_auth
