#include "source/config/key_digest.h"

#include <catch2/catch.hpp>

#include <string>

namespace sluice::config {
namespace {

const std::string kText = "6ab9f1eb8f7d3388f4f9d586f66e99fd54080df2c446f0e58668b09c08a16dd0";  // of "k1"

TEST_CASE("a digest is read in either case, with colons or without") {
  CHECK(readDigest(kText) == filter::digestOf("k1"));
  std::string upper, colons;
  for (size_t i = 0; i < kText.size(); ++i) {
    upper += static_cast<char>(std::toupper(kText[i]));
    if (i > 0 && i % 2 == 0) colons += ':';
    colons += kText[i];
  }
  CHECK(readDigest(upper) == filter::digestOf("k1"));
  CHECK(readDigest(colons) == filter::digestOf("k1"));
}

TEST_CASE("nothing else is a digest") {
  std::string other = kText;
  other[10] = 'g';
  std::string wrong_colons;
  for (size_t i = 0; i < kText.size(); i += 2) wrong_colons += (i > 0 ? "-" : "") + kText.substr(i, 2);

  CHECK_FALSE(readDigest(""));
  CHECK_FALSE(readDigest("k1"));
  CHECK_FALSE(readDigest(kText.substr(1)));
  CHECK_FALSE(readDigest(kText + "0"));
  CHECK_FALSE(readDigest(other));
  CHECK_FALSE(readDigest(wrong_colons));
}

}  // namespace
}  // namespace sluice::config
