#include "source/base/ascii.h"

#include <catch2/catch.hpp>

namespace sluice::base {
namespace {

TEST_CASE("only the letters A to Z have a lower case") {
  CHECK(lowered("AZ@[`{09\xc3\x84") == "az@[`{09\xc3\x84");
}

TEST_CASE("texts are compared without regard to case, and not beyond their length") {
  CHECK(equalsIgnoringCase("Content-Type", "cONTENT-tYPE"));
  CHECK_FALSE(equalsIgnoringCase("a", "ab"));
  CHECK_FALSE(equalsIgnoringCase("[", "{"));
  CHECK(equalsLowered("H2C", "h2c"));
  CHECK_FALSE(equalsLowered("h2c", "H2C"));
}

TEST_CASE("a part is found without regard to case, the empty one everywhere") {
  CHECK(containsIgnoringCase("xAbCx", "aBc"));
  CHECK(containsIgnoringCase("", ""));
  CHECK_FALSE(containsIgnoringCase("ab", "abc"));
}

}  // namespace
}  // namespace sluice::base
