#include "source/upstream/kept_body.h"

#include <catch2/catch.hpp>

namespace sluice::upstream {
namespace {

TEST_CASE("what waits is kept whole once it was sent, with what follows") {
  KeptBody body(4);
  body.hold("ab");
  body.keep({});
  body.keep("cd");
  CHECK(body.whole());
  CHECK(body.bytes() == "abcd");
}

TEST_CASE("a body that grows too large is not kept at all") {
  KeptBody body(4);
  body.keep("abc");
  body.keep("de");
  CHECK_FALSE(body.whole());
  CHECK(body.bytes().empty());
  body.keep("f");
  CHECK(body.bytes().empty());
}

TEST_CASE("more than is kept may wait, and goes once it was sent") {
  KeptBody body(4);
  body.hold("abcdef");
  CHECK(body.whole());
  CHECK(body.bytes() == "abcdef");
  body.keep({});
  CHECK_FALSE(body.whole());
}

}  // namespace
}  // namespace sluice::upstream
