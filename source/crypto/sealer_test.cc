#include "source/crypto/sealer.h"

#include <catch2/catch.hpp>

namespace sluice::crypto {
namespace {

TEST_CASE("what is sealed is opened by its key and for what it is about, and nothing else is") {
  const Sealer sealer(Sealer::randomKey()), other(Sealer::randomKey());
  const std::string sealed = sealer.seal("a secret", "keys");
  CHECK(sealed.size() == 8 + 28);
  CHECK(sealed.find("secret") == std::string::npos);
  CHECK(sealer.open(sealed, "keys") == "a secret");
  CHECK(sealer.seal("a secret", "keys") != sealed);
  CHECK(sealer.open(sealer.seal("", ""), "") == "");
  CHECK_FALSE(sealer.open(sealed, "key"));
  CHECK_FALSE(other.open(sealed, "keys"));
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CHECK_FALSE(sealer.open(changed, "keys"));
    CHECK_FALSE(sealer.open(sealed.substr(0, i), "keys"));
  }
}

TEST_CASE("a key is 32 bytes or their hexadecimal digits") {
  const std::string bytes = "0123456789abcdef0123456789ABCDEF";
  std::string digits;
  for (const char byte : bytes) {
    digits += "0123456789abcdef"[static_cast<uint8_t>(byte) >> 4];
    digits += "0123456789abcdef"[byte & 15];
  }
  const std::string sealed = Sealer::parse(bytes)->seal("x", "");
  CHECK(Sealer::parse(digits)->open(sealed, "") == "x");
  CHECK(Sealer::parse(digits + "\n")->open(sealed, "") == "x");
  CHECK(Sealer::parse(digits) == Sealer::parse(bytes));
  CHECK(Sealer::parse(digits) != Sealer::parse("1" + bytes.substr(1)));
  for (const std::string& bad : {std::string(), bytes + "0", digits + "0", digits.substr(1) + "g", digits + "\n\n"}) {
    CHECK_FALSE(Sealer::parse(bad));
  }
}

}  // namespace
}  // namespace sluice::crypto
