#include "source/base/random.h"

#include <catch2/catch.hpp>

namespace sluice::base {
namespace {

TEST_CASE("the same seed gives the same sequence and another seed another one") {
  Random a(7), b(7), c(8);

  const uint64_t first = a.next();

  CHECK(first == b.next());
  CHECK(first != c.next());
}

TEST_CASE("numbers below a bound are uniform") {
  Random random(1);
  int counts[10] = {};

  for (int i = 0; i < 100000; ++i) ++counts[random.below(10)];

  for (int count : counts) CHECK(count == Approx(10000).margin(500));
  CHECK(random.below(0) == 0);
  CHECK(random.below(1) == 0);
}

TEST_CASE("fractions lie in [0, 1) around one half") {
  Random random(2);
  double sum = 0;

  for (int i = 0; i < 100000; ++i) {
    const double value = random.fraction();
    REQUIRE(value >= 0);
    REQUIRE(value < 1);
    sum += value;
  }

  CHECK(sum / 100000 == Approx(0.5).margin(0.01));
}

}  // namespace
}  // namespace sluice::base
