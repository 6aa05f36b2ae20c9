#include "source/cache/http_date.h"

#include <catch2/catch.hpp>

#include "source/cache/test_messages.h"

namespace sluice::cache {
namespace {

std::optional<int64_t> parse(std::string_view text) {
  const auto time = parseHttpDate(text, testing::kWall);
  if (!time) return std::nullopt;
  return time->time_since_epoch().count();
}

TEST_CASE("a date is read in each of its forms") {
  CHECK(parse("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777);
  CHECK(parse("Sunday, 06-Nov-94 08:49:37 GMT") == 784111777);
  CHECK(parse("Sun Nov  6 08:49:37 1994") == 784111777);
  CHECK(parse("Thu, 29 Feb 2024 00:00:00 GMT") == 1709164800);
}

TEST_CASE("a year of two digits is at most 50 years ahead") {
  CHECK(parse("Thursday, 01-Jan-76 00:00:00 GMT") == 3345062400);
  CHECK(parse("Friday, 01-Jan-77 00:00:00 GMT") == 220924800);
}

TEST_CASE("what is no date is none") {
  for (const char* text :
       {"", "0", "-1", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 PST", "Sun, 06 Nov 1994 08:49:37 GMT,Sun"}) {
    CHECK_FALSE(parse(text));
  }
}

}  // namespace
}  // namespace sluice::cache
