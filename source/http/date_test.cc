#include "source/http/date.h"

#include <catch2/catch.hpp>

namespace sluice::http {
namespace {

constexpr Date kNow(std::chrono::seconds(1767225600));  // 2026

std::optional<int64_t> parse(std::string_view text) {
  const auto date = parseDate(text, kNow);
  if (!date) return std::nullopt;
  return date->time_since_epoch().count();
}

std::string format(int64_t seconds) {
  return formatDate(Date(std::chrono::seconds(seconds)));
}

TEST_CASE("a date is read in each of its forms and written in one") {
  CHECK(parse("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777);
  CHECK(parse("Sunday, 06-Nov-94 08:49:37 GMT") == 784111777);
  CHECK(parse("Sun Nov  6 08:49:37 1994") == 784111777);
  CHECK(parse("Thu, 29 Feb 2024 00:00:00 GMT") == 1709164800);
  CHECK(format(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(format(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(format(-1) == "Wed, 31 Dec 1969 23:59:59 GMT");
}

TEST_CASE("a year of two digits is at most 50 years ahead") {
  CHECK(parse("Thursday, 01-Jan-76 00:00:00 GMT") == 3345062400);
  CHECK(parse("Friday, 01-Jan-77 00:00:00 GMT") == 220924800);
}

TEST_CASE("what is no date is none") {
  for (const char* text :
       {"", "0", "-1", "Sun", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov -994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 PST",
        "Sun, 06 Nov 1994 08:49:37 GMT,Sun", "Sun Nov 6 08:49:37 1994", "1994-11-06T08:49:37Z"}) {
    CHECK_FALSE(parse(text));
  }
}

}  // namespace
}  // namespace sluice::http
