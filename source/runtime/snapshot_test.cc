#include "source/runtime/snapshot.h"

#include <catch2/catch.hpp>

namespace sluice::runtime {
namespace {

TEST_CASE("a fraction holds for as many of its denominator's numbers as its numerator says") {
  const Fraction fraction{3, 10'000};
  int held = 0;

  for (uint64_t random = 0; random < 20'000; ++random) held += fraction.includes(random);

  CHECK(held == 6);
}

TEST_CASE("chance is asked only where it decides") {
  int drawn = 0;
  const auto draw = [&drawn] { return static_cast<uint64_t>(++drawn); };

  CHECK_FALSE(Fraction{0, 100}.sample(draw));
  CHECK(Fraction{100, 100}.sample(draw));
  CHECK(Fraction{200, 100}.sample(draw));
  CHECK(drawn == 0);
  CHECK(Fraction{50, 100}.sample(draw));
  CHECK(drawn == 1);
}

TEST_CASE("a key without a value, without a name or of another kind leaves what the configuration says") {
  const Snapshot snapshot({{"", Value::ofFlag(true)}, {"flag", Value::ofFlag(true)}, {"half", Value::ofNumber(0.5)}});

  CHECK(snapshot.flag("", false) == false);
  CHECK(snapshot.flag("other", true) == true);
  CHECK(snapshot.flag("half", false) == false);
  CHECK(snapshot.fraction("flag", {1, 100}) == Fraction{1, 100});
  CHECK(snapshot.fraction("half", {1, 100}) == Fraction{1, 100});
  CHECK(snapshot.flag("flag", false) == true);
}

TEST_CASE("a whole number is a percentage, and no more than all") {
  const Snapshot snapshot(
      {{"some", Value::ofNumber(7.0)}, {"all", Value::ofNumber(101.0)}, {"none", Value::ofNumber(-1.0)}});

  CHECK(snapshot.fraction("some", {}) == Fraction{7, 100});
  CHECK(snapshot.fraction("all", {}) == Fraction{100, 100});
  CHECK(snapshot.fraction("none", {1, 2}) == Fraction{1, 2});
}

TEST_CASE("text stands for a flag or a number") {
  CHECK(Value::ofText("True").flag == true);
  CHECK(Value::ofText("false").flag == false);
  CHECK(Value::ofText("7").fraction == Fraction{7, 100});
  CHECK(Value::ofText("0.5").number == 0.5);
  CHECK_FALSE(Value::ofText("").number);
  CHECK_FALSE(Value::ofText("inf").number);
  CHECK_FALSE(Value::ofText("yes").flag);
}

}  // namespace
}  // namespace sluice::runtime
