#include "source/http/conditions.h"

#include <catch2/catch.hpp>

#include <string>
#include <utility>
#include <vector>

namespace sluice::http {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;
using Kind = Range::Kind;
using namespace std::chrono_literals;

constexpr Date kModified(std::chrono::seconds(784'111'777));  // Sun, 06 Nov 1994 08:49:37 GMT
constexpr Date kNow(std::chrono::seconds(1'800'000'000));     // in 2027
const Representation kFile{"\"a\"", kModified, 1000};

struct Request {
  explicit Request(const Fields& fields) {
    for (const auto& [name, value] : fields) headers.add(name, value);
  }
  base::Arena arena;
  RequestHeaders headers{arena};
};

Verdict verdict(const Fields& fields, const Representation& file = kFile) {
  return evaluate(Conditions::of(Request(fields).headers), file, kNow);
}

// "whole", "none" or "BEGIN-END", the end behind the last byte.
std::string ranged(const Fields& fields, uint64_t size = 1000, const std::string& etag = "\"a\"") {
  const Representation file{etag, kModified, size, etag[0] == '"'};
  const Range out = rangeOf(Conditions::of(Request(fields).headers), file, kNow);
  if (out.kind == Kind::kWhole) return "whole";
  if (out.kind == Kind::kUnsatisfiable) return "none";
  return std::to_string(out.begin) + "-" + std::to_string(out.end);
}

TEST_CASE("without conditions, and with those that hold, the file is served") {
  CHECK(verdict({}) == Verdict::kSend);
  CHECK(verdict({{"if-match", "\"a\""}}) == Verdict::kSend);
  CHECK(verdict({{"if-match", "*"}}) == Verdict::kSend);
  CHECK(verdict({{"if-match", "\"b\", \"a\""}}) == Verdict::kSend);
  CHECK(verdict({{"if-match", "\"b\""}, {"if-match", "\"a\""}}) == Verdict::kSend);
  CHECK(verdict({{"if-none-match", "\"b\", W/\"c\""}}) == Verdict::kSend);
  CHECK(verdict({{"if-modified-since", formatDate(kModified - 1s)}}) == Verdict::kSend);
  CHECK(verdict({{"if-unmodified-since", formatDate(kModified)}}) == Verdict::kSend);
}

TEST_CASE("a file that the client has is not sent again") {
  CHECK(verdict({{"if-none-match", "\"a\""}}) == Verdict::kNotModified);
  CHECK(verdict({{"if-none-match", "W/\"a\""}}) == Verdict::kNotModified);
  CHECK(verdict({{"if-none-match", "\"b\",\"a\""}}) == Verdict::kNotModified);
  CHECK(verdict({{"if-none-match", "*"}}) == Verdict::kNotModified);
  CHECK(verdict({{"if-modified-since", formatDate(kModified)}}) == Verdict::kNotModified);
}

TEST_CASE("a file that is not the one that is meant fails the request") {
  CHECK(verdict({{"if-match", "\"b\""}}) == Verdict::kFailed);
  CHECK(verdict({{"if-match", "W/\"a\""}}) == Verdict::kFailed);
  CHECK(verdict({{"if-match", "\"W/\"a\"\""}}, {"W/\"a\"", kModified, 1}) == Verdict::kFailed);
  CHECK(verdict({{"if-match", "a"}}) == Verdict::kFailed);
  CHECK(verdict({{"if-match", "\"a"}}) == Verdict::kFailed);
  CHECK(verdict({{"if-unmodified-since", formatDate(kModified - 1s)}}) == Verdict::kFailed);
}

TEST_CASE("tags count more than dates, and dates that are none do not count") {
  CHECK(verdict({{"if-none-match", "\"b\""}, {"if-modified-since", formatDate(kNow)}}) == Verdict::kSend);
  CHECK(verdict({{"if-match", "\"a\""}, {"if-unmodified-since", formatDate({})}}) == Verdict::kSend);
  CHECK(verdict({{"if-match", "\"b\""}, {"if-none-match", "\"a\""}}) == Verdict::kFailed);
  CHECK(verdict({{"if-modified-since", "yesterday"}}) == Verdict::kSend);
  CHECK(verdict({{"if-unmodified-since", "yesterday"}}) == Verdict::kSend);
}

TEST_CASE("tags without quotes are read as they stand, and nothing is like no tag") {
  CHECK(verdict({{"if-none-match", "b, a"}}, {"a", kModified, 1}) == Verdict::kNotModified);
  CHECK(verdict({{"if-none-match", "W/"}}, {"", kModified, 1}) == Verdict::kSend);
  CHECK(verdict({{"if-none-match", "*"}}, {"", kModified, 1}) == Verdict::kNotModified);
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
  CHECK(ranged({{"range", "bytes=7-99999999999999999999"}}) == "7-1000");
  CHECK(ranged({{"range", "bytes=-99999999999999999999"}}) == "0-1000");
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
  CHECK(ranged({part, {"if-range", formatDate(kModified)}}) == "0-1");
  CHECK(ranged({part, {"if-range", formatDate(kModified + 1s)}}) == "whole");
  CHECK(ranged({part, {"if-range", formatDate(kModified)}}, 1000, "W/\"a\"") == "whole");
  CHECK(ranged({part, {"if-range", "nonsense"}}) == "whole");
}

}  // namespace
}  // namespace sluice::http
