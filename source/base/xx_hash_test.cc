#include "source/base/xx_hash.h"

#include <catch2/catch.hpp>

namespace sluice::base {
namespace {

TEST_CASE("hashes are those of libxxhash, for each length of the rest and with a seed") {
  CHECK(xxHash64("") == 0xef46db3751d8e999u);
  CHECK(xxHash64("a") == 0xd24ec4f1a98c6e5bu);
  CHECK(xxHash64("abc") == 0x44bc2cf5ad770999u);
  CHECK(xxHash64("abc", 1) == 0xbea9ca8199328908u);
  CHECK(xxHash64("12345678") == 0xd2d02f08cf7cfd4au);
  CHECK(xxHash64("127.0.0.1:80") == 0x20e2606e5305da5bu);
  CHECK(xxHash64("0123456789abcdef0123456789abcdef") == 0x642a94958e71e6c5u);
  CHECK(xxHash64("this text is longer than thirty-two bytes, so it has a stripe and some rest") == 0x26e631ae4e2b11ceu);
  CHECK(xxHash64("this text is longer than thirty-two bytes, so it has a stripe and some rest", 1) ==
        0x3f0148dd53aeeb60u);
}

}  // namespace
}  // namespace sluice::base
