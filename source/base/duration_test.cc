#include "source/base/duration.h"

#include <catch2/catch.hpp>

namespace sluice::base {
namespace {

using namespace std::chrono_literals;

TEST_CASE("what is more than nothing is at least a millisecond") {
  CHECK(millisecondsOf(0, 0) == 0ms);
  CHECK(millisecondsOf(0, 1) == 1ms);
  CHECK(millisecondsOf(0, 500'000) == 1ms);
  CHECK(millisecondsOf(0, -500'000) == 0ms);
}

TEST_CASE("parts of a millisecond are cut off") {
  CHECK(millisecondsOf(0, 1'999'999) == 1ms);
  CHECK(millisecondsOf(2, 500'900'000) == 2500ms);
  CHECK(millisecondsOf(-2, -500'900'000) == -2500ms);
}

TEST_CASE("durations that no clock holds saturate") {
  CHECK(nanosecondsOf(315'576'000'000, 0) > 24h * 365 * 290);
  CHECK(nanosecondsOf(INT64_MIN, INT32_MIN) < -24h * 365 * 290);
  CHECK(millisecondsOf(315'576'000'000, 999'999'999) == 24h * 365 * 10);
  CHECK(millisecondsOf(INT64_MIN, INT32_MIN) == -24h * 365 * 10);
}

TEST_CASE("nanoseconds beyond a second, which no sender may write, are a second at most") {
  CHECK(nanosecondsOf(1, INT32_MAX) == 1s + 999'999'999ns);
}

}  // namespace
}  // namespace sluice::base
