#include "source/base/utf8.h"

#include <catch2/catch.hpp>

namespace sluice::base {
namespace {

TEST_CASE("text of any length of character is UTF-8; what is cut, too long, a surrogate or beyond Unicode is not") {
  CHECK(isUtf8(""));
  CHECK(isUtf8("plain"));
  CHECK(isUtf8("\u00e9 \u20ac \U0001f600 \U0010ffff"));
  CHECK_FALSE(isUtf8("\xff"));
  CHECK_FALSE(isUtf8("a\x80"));
  CHECK_FALSE(isUtf8("\xe2\x82"));
  CHECK_FALSE(isUtf8("\xc0\x80"));
  CHECK_FALSE(isUtf8("\xe0\x9f\xbf"));
  CHECK_FALSE(isUtf8("\xed\xa0\x80"));
  CHECK_FALSE(isUtf8("\xf4\x90\x80\x80"));
}

TEST_CASE("what is no UTF-8 is replaced byte by byte, and the rest stays") {
  CHECK(asUtf8("") == "");
  CHECK(asUtf8("J\xc3\xbcrgen") == "J\xc3\xbcrgen");
  CHECK(asUtf8("a\xff\xe2\x82z") == "a!!!z");
}

}  // namespace
}  // namespace sluice::base
