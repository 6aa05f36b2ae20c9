#include "source/extensions/filters/http/file_server/conditions.h"

#include <catch2/catch.hpp>

#include <string>
#include <utility>
#include <vector>

#include "source/extensions/filters/http/file_server/http_date.h"

namespace sluice::extensions::http_filters::file_server {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;
using Kind = Range::Kind;

constexpr int64_t kModified = 784'111'777;  // Sun, 06 Nov 1994 08:49:37 GMT
constexpr int64_t kNow = 1'800'000'000;     // in 2027
const Representation kFile{"\"a\"", kModified, 1000};

struct Request {
  explicit Request(const Fields& fields) {
    for (const auto& [name, value] : fields) headers.add(name, value);
  }
  base::Arena arena;
  http::RequestHeaders headers{arena};
};

Condition condition(const Fields& fields, const Representation& file = kFile) {
  return evaluateConditions(Request(fields).headers, file, kNow);
}

Range range(const Fields& fields, const Representation& file = kFile) {
  return rangeOf(Request(fields).headers, file, kNow);
}

// "whole", "none" or "BEGIN-END", the end behind the last byte.
std::string ranged(const Fields& fields, uint64_t size = 1000, const std::string& etag = "\"a\"") {
  const Range out = range(fields, {etag, kModified, size});
  if (out.kind == Kind::kWhole) return "whole";
  if (out.kind == Kind::kUnsatisfiable) return "none";
  return std::to_string(out.begin) + "-" + std::to_string(out.end);
}

TEST_CASE("dates are read in all three forms and written in one") {
  CHECK(formatHttpDate(kModified) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(formatHttpDate(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(formatHttpDate(-1) == "Wed, 31 Dec 1969 23:59:59 GMT");
  CHECK(parseHttpDate("Sun, 06 Nov 1994 08:49:37 GMT", kNow) == kModified);
  CHECK(parseHttpDate("Sunday, 06-Nov-94 08:49:37 GMT", kNow) == kModified);
  CHECK(parseHttpDate("Sun Nov  6 08:49:37 1994", kNow) == kModified);
  CHECK(parseHttpDate("Thu, 29 Feb 2024 00:00:00 GMT", kNow) == 1'709'164'800);
  CHECK(parseHttpDate("Monday, 01-Jan-77 00:00:00 GMT", kNow) == 3'376'684'800);  // 2077
  CHECK(parseHttpDate("Monday, 01-Jan-78 00:00:00 GMT", kNow) == 252'460'800);    // 1978
}

TEST_CASE("what is no date is none") {
  const auto* text =
      GENERATE("", "Sun", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
               "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT",
               "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
               "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov -994 08:49:37 GMT",
               "Sun Nov 6 08:49:37 1994", "1994-11-06T08:49:37Z");
  CHECK_FALSE(parseHttpDate(text, kNow));
}

TEST_CASE("without conditions, and with those that hold, the file is served") {
  CHECK(condition({}) == Condition::kNone);
  CHECK(condition({{"if-match", "\"a\""}}) == Condition::kNone);
  CHECK(condition({{"if-match", "*"}}) == Condition::kNone);
  CHECK(condition({{"if-match", "\"b\", \"a\""}}) == Condition::kNone);
  CHECK(condition({{"if-match", "\"b\""}, {"if-match", "\"a\""}}) == Condition::kNone);
  CHECK(condition({{"if-none-match", "\"b\", W/\"c\""}}) == Condition::kNone);
  CHECK(condition({{"if-modified-since", formatHttpDate(kModified - 1)}}) == Condition::kNone);
  CHECK(condition({{"if-unmodified-since", formatHttpDate(kModified)}}) == Condition::kNone);
}

TEST_CASE("a file that the client has is not sent again") {
  CHECK(condition({{"if-none-match", "\"a\""}}) == Condition::kNotModified);
  CHECK(condition({{"if-none-match", "W/\"a\""}}) == Condition::kNotModified);
  CHECK(condition({{"if-none-match", "\"b\",\"a\""}}) == Condition::kNotModified);
  CHECK(condition({{"if-none-match", "*"}}) == Condition::kNotModified);
  CHECK(condition({{"if-modified-since", formatHttpDate(kModified)}}) == Condition::kNotModified);
}

TEST_CASE("a file that is not the one that is meant fails the request") {
  CHECK(condition({{"if-match", "\"b\""}}) == Condition::kFailed);
  CHECK(condition({{"if-match", "W/\"a\""}}) == Condition::kFailed);
  CHECK(condition({{"if-match", "\"W/\"a\"\""}}, {"W/\"a\"", kModified, 1}) == Condition::kFailed);
  CHECK(condition({{"if-match", "a"}}) == Condition::kFailed);
  CHECK(condition({{"if-match", "\"a"}}) == Condition::kFailed);
  CHECK(condition({{"if-unmodified-since", formatHttpDate(kModified - 1)}}) == Condition::kFailed);
}

TEST_CASE("tags count more than dates, and dates that are none do not count") {
  CHECK(condition({{"if-none-match", "\"b\""}, {"if-modified-since", formatHttpDate(kNow)}}) == Condition::kNone);
  CHECK(condition({{"if-match", "\"a\""}, {"if-unmodified-since", formatHttpDate(0)}}) == Condition::kNone);
  CHECK(condition({{"if-match", "\"b\""}, {"if-none-match", "\"a\""}}) == Condition::kFailed);
  CHECK(condition({{"if-modified-since", "yesterday"}}) == Condition::kNone);
  CHECK(condition({{"if-unmodified-since", "yesterday"}}) == Condition::kNone);
}

TEST_CASE("one range is a part, within the file") {
  CHECK(ranged({}) == "whole");
  CHECK(ranged({{"range", "bytes=0-0"}}) == "0-1");
  CHECK(ranged({{"range", "Bytes=10-19"}}) == "10-20");
  CHECK(ranged({{"range", "bytes=990-"}}) == "990-1000");
  CHECK(ranged({{"range", "bytes=990-9223372036854775807"}}) == "990-1000");
  CHECK(ranged({{"range", "bytes=0-999"}}) == "0-1000");
  CHECK(ranged({{"range", "bytes=-10"}}) == "990-1000");
  CHECK(ranged({{"range", "bytes=-2000"}}) == "0-1000");
}

TEST_CASE("a range behind the end cannot be satisfied") {
  CHECK(ranged({{"range", "bytes=1000-"}}) == "none");
  CHECK(ranged({{"range", "bytes=1000-2000"}}) == "none");
  CHECK(ranged({{"range", "bytes=-0"}}) == "none");
  CHECK(ranged({{"range", "bytes=0-"}}, 0) == "none");
  CHECK(ranged({{"range", "bytes=-1"}}, 0) == "whole");
}

TEST_CASE("several ranges, and what is no range, are the whole file") {
  const auto* value = GENERATE("bytes=0-1,5-6", "bytes=0-1, 5-6", "bytes=", "bytes=-", "bytes=5", "bytes=2-1",
                               "bytes=a-b", "bytes= 1-2", "bytes=1 -2", "bytes=+1-2", "lines=1-2", "bytes=1-2-3",
                               "bytes=--1", "bytes=99999999999999999999-");
  CHECK(ranged({{"range", value}}) == "whole");
  CHECK(ranged({{"range", "bytes=0-1"}, {"range", "bytes=5-6"}}) == "whole");
}

TEST_CASE("a part is sent only if the client has another one of the same file") {
  const std::pair<std::string, std::string> part{"range", "bytes=0-0"};
  CHECK(ranged({part, {"if-range", "\"a\""}}) == "0-1");
  CHECK(ranged({part, {"if-range", "\"b\""}}) == "whole");
  CHECK(ranged({part, {"if-range", "W/\"a\""}}) == "whole");
  CHECK(ranged({part, {"if-range", "W/\"a\""}}, 1000, "W/\"a\"") == "whole");
  CHECK(ranged({part, {"if-range", formatHttpDate(kModified)}}) == "0-1");
  CHECK(ranged({part, {"if-range", formatHttpDate(kModified + 1)}}) == "whole");
  CHECK(ranged({part, {"if-range", formatHttpDate(kModified)}}, 1000, "W/\"a\"") == "whole");
  CHECK(ranged({part, {"if-range", "nonsense"}}) == "whole");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::file_server
