#include "source/cache/answer.h"

#include <catch2/catch.hpp>

#include "source/cache/test_messages.h"

namespace sluice::cache {
namespace {

using testing::kNow;
using testing::kWall;

std::string fieldOf(const Answer& answer, std::string_view name) {
  for (const auto& field : answer.headers) {
    if (field.first == name) return field.second;
  }
  return "(none)";
}

// Of a body of ten bytes.
Answer ask(testing::Fields request, std::string_view method = "GET") {
  const auto response = testing::stored({{"cache-control", "max-age=60"},
                                         {"etag", "\"a\""},
                                         {"last-modified", "Wed, 01 Jan 2025 00:00:00 GMT"},
                                         {"content-type", "text/plain"},
                                         {"age", "5"}});
  testing::Request asked(request);
  asked.head.method = method;
  return answerFrom(*response, http::Conditions::of(asked.head), kNow, kWall, "hit");
}

TEST_CASE("an answer says its age and where it is from") {
  const Answer answer = ask({});

  CHECK(answer.status == 200);
  CHECK(fieldOf(answer, "age") == "5");
  CHECK(fieldOf(answer, "cache-status") == "sluice; hit; ttl=55");
  CHECK(fieldOf(answer, "content-length") == "10");
  CHECK(fieldOf(answer, "content-type") == "text/plain");
  CHECK(answer.begin == 0);
  CHECK(answer.end == 10);
}

TEST_CASE("who has it already is told so") {
  CHECK(ask({{"if-none-match", "\"b\", W/\"a\""}}).status == 304);
  CHECK(ask({{"if-none-match", "*"}}).status == 304);
  CHECK(ask({{"if-none-match", "\"b\""}}).status == 200);
  CHECK(ask({{"if-modified-since", "Wed, 01 Jan 2025 00:00:00 GMT"}}).status == 304);
  CHECK(ask({{"if-modified-since", "Tue, 31 Dec 2024 23:59:59 GMT"}}).status == 200);
  CHECK(ask({{"if-modified-since", "yesterday"}}).status == 200);
  // The etag decides if there is one.
  CHECK(ask({{"if-none-match", "\"b\""}, {"if-modified-since", "Wed, 01 Jan 2025 00:00:00 GMT"}}).status == 200);

  const Answer answer = ask({{"if-none-match", "\"a\""}});
  CHECK(answer.end == 0);
  CHECK(fieldOf(answer, "etag") == "\"a\"");
  CHECK(fieldOf(answer, "content-length") == "(none)");
  CHECK(fieldOf(answer, "content-type") == "(none)");
}

std::string rangeOf(std::string_view range) {
  const Answer answer = ask({{"range", range}});
  return std::to_string(answer.status) + " " + std::to_string(answer.begin) + "-" + std::to_string(answer.end);
}

TEST_CASE("one part is sent as it is asked for") {
  CHECK(rangeOf("bytes=0-0") == "206 0-1");
  CHECK(rangeOf("bytes=2-4") == "206 2-5");
  CHECK(rangeOf("bytes=7-") == "206 7-10");
  CHECK(rangeOf("bytes=7-99999999999999999999") == "206 7-10");
  CHECK(rangeOf("bytes=-3") == "206 7-10");
  CHECK(rangeOf("bytes=-30") == "206 0-10");
  CHECK(rangeOf("bytes=10-") == "416 0-0");
  CHECK(rangeOf("bytes=-0") == "416 0-0");
  // Several, or what is none: the whole.
  CHECK(rangeOf("bytes=0-1,3-4") == "200 0-10");
  CHECK(rangeOf("bytes=4-2") == "200 0-10");
  CHECK(rangeOf("bytes=-") == "200 0-10");
  CHECK(rangeOf("lines=1-2") == "200 0-10");
  CHECK(rangeOf("bytes=a-b") == "200 0-10");

  const Answer part = ask({{"range", "bytes=2-4"}});
  CHECK(fieldOf(part, "content-range") == "bytes 2-4/10");
  CHECK(fieldOf(part, "content-length") == "3");
  CHECK(fieldOf(ask({{"range", "bytes=10-"}}), "content-range") == "bytes */10");
}

TEST_CASE("a part of what has changed is not wanted") {
  CHECK(ask({{"range", "bytes=2-4"}, {"if-range", "\"a\""}}).status == 206);
  CHECK(ask({{"range", "bytes=2-4"}, {"if-range", "\"b\""}}).status == 200);
  CHECK(ask({{"range", "bytes=2-4"}, {"if-range", "W/\"a\""}}).status == 200);
  CHECK(ask({{"range", "bytes=2-4"}, {"if-range", "Wed, 01 Jan 2025 00:00:00 GMT"}}).status == 200);
  CHECK(ask({{"range", "bytes=2-4"}}, "HEAD").status == 200);
}

}  // namespace
}  // namespace sluice::cache
