#include "source/compression/content_encoding.h"

#include <catch2/catch.hpp>

#include <string>

namespace sluice::compression {
namespace {

std::string described(std::string_view element) {
  const auto accepted = parseAccepted(element);
  return accepted ? std::string(accepted->coding) + " " + std::to_string(accepted->weight) : "none";
}

TEST_CASE("an element of accept-encoding is a coding and a weight") {
  CHECK(described("gzip") == "gzip 1000");
  CHECK(described("gzip;q=1.000") == "gzip 1000");
  CHECK(described("br ; Q=0.5") == "br 500");
  CHECK(described("*;q=0") == "* 0");
  CHECK(described("x;q=0.001") == "x 1");
  for (const std::string wrong : {"gzip;q=", "gzip;q=2", "gzip;q=1.001", "gzip;q=.5", "gzip;q=0.0001", "gzip;q=-1",
                                  "gzip;q=nan", "gzip;level=1", ";q=1", ""}) {
    CHECK(described(wrong) == "none");
  }
}

TEST_CASE("codings have names without case, and gzip has two") {
  CHECK(sameCoding("GZip", "gzip"));
  CHECK(sameCoding("x-gzip", "gzip"));
  CHECK_FALSE(sameCoding("br", "gzip"));
}

struct Answer {
  base::Arena arena;
  http::ResponseHeaders headers{arena};
  std::string of(std::string_view name) const { return std::string(headers.getAll(name).value_or("(none)")); }
};

TEST_CASE("vary names accept-encoding once") {
  const auto varied = [](std::string_view before) {
    Answer answer;
    if (!before.empty()) answer.headers.add("vary", before);
    varyByEncoding(answer.headers);
    return answer.of("vary");
  };
  CHECK(varied("") == "accept-encoding");
  CHECK(varied("origin") == "origin, accept-encoding");
  CHECK(varied("Origin,Accept-Encoding") == "Origin,Accept-Encoding");
  CHECK(varied("*") == "*");
}

TEST_CASE("a vary in two fields becomes one") {
  Answer answer;
  answer.headers.add("vary", "origin");
  answer.headers.add("vary", "cookie");
  varyByEncoding(answer.headers);
  CHECK(answer.of("vary") == "origin,cookie, accept-encoding");
}

TEST_CASE("a strong etag becomes weak, a weak one stays") {
  Answer answer;
  answer.headers.add("etag", "\"a\"");
  CHECK(hasStrongEtag(answer.headers));
  weakenEtag(answer.headers);
  CHECK(answer.of("etag") == "W/\"a\"");
  weakenEtag(answer.headers);
  CHECK(answer.of("etag") == "W/\"a\"");
}

TEST_CASE("what speaks of other bytes goes off") {
  Answer answer;
  answer.headers.add("accept-ranges", "bytes");
  answer.headers.add("content-digest", "sha-256=:AA==:");
  answer.headers.add("last-modified", "yesterday");
  forgetBytes(answer.headers);
  CHECK(answer.of("accept-ranges") == "(none)");
  CHECK(answer.of("content-digest") == "(none)");
  CHECK(answer.of("last-modified") == "yesterday");
}

TEST_CASE("no-transform is found among other directives, in any field") {
  Answer answer;
  answer.headers.add("cache-control", "public, x-no-transform");
  CHECK_FALSE(forbidsTransform(answer.headers));
  answer.headers.add("cache-control", "max-age=1, No-Transform");
  CHECK(forbidsTransform(answer.headers));
}

}  // namespace
}  // namespace sluice::compression
