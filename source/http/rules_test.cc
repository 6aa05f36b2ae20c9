#include "source/http/rules.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

namespace sluice::http {
namespace {

std::vector<std::string> elementsOf(std::string_view list) {
  std::vector<std::string> out;
  forEachElement(list, [&out](std::string_view element) { out.emplace_back(element); });
  return out;
}

TEST_CASE("a list has the elements between its commas, without the spaces around them and the empty ones") {
  using Elements = std::vector<std::string>;
  CHECK(elementsOf("a") == Elements{"a"});
  CHECK(elementsOf(" a b\t,\tc , d") == Elements{"a b", "c", "d"});
  CHECK(elementsOf(",a,, \t,b,") == Elements{"a", "b"});
  CHECK(elementsOf("") == Elements{});
  CHECK(elementsOf(" , ") == Elements{});
}

TEST_CASE("a port to connect to is a number above 0") {
  for (const char* yes : {"a:1", "a:443", "[::1]:80", "1.2.3.4:065"}) CHECK(namesPort(yes));
  for (const char* no : {"a", "a:", "a:0", "a:00", "[::1]", "1.2.3.4", "80"}) CHECK_FALSE(namesPort(no));
}

TEST_CASE("a segment ends in front of its parameters, encoded or not") {
  for (const char* text : {"a;b", "a%3bb", "a%3B", "a;b;c", "a"}) CHECK(withoutParameters(text) == "a");
  for (const char* text : {";", "%3b", ""}) CHECK(withoutParameters(text) == "");
  for (const char* text : {"a%3", "a%", "a%3c", "a%253b"}) CHECK(withoutParameters(text) == text);
}

TEST_CASE("a path may climb by dots in any form") {
  for (const char* yes : {"/a/../b", "..", "/.", "/a/..;x", "/..%3b/b", "a%2f..%5Cb", "/%2e%2E", "\\.\\"}) {
    CHECK(hasDotSegment(yes));
  }
  for (const char* no : {"/", "", "/...", "/a..b/.c", "/%252e%252e"}) CHECK_FALSE(hasDotSegment(no));
}

TEST_CASE("spaces and tabs around a text go, those within it stay") {
  CHECK(withoutSpaces(" \ta \tb\t ") == "a \tb");
  CHECK(withoutSpaces(" \t ") == "");
  CHECK(withoutSpaces("\na ") == "\na");
}

TEST_CASE("what controls a request does not stand in trailers, the report of a decompressor only where it is made") {
  const auto allowed = [](std::string_view name) {
    const Field field{name, "1", nameOf(name)};
    return std::pair(allowedInTrailers(field), allowedInRequestTrailers(field));
  };
  CHECK(allowed("x-sum") == std::pair(true, true));
  CHECK(allowed("grpc-status") == std::pair(true, true));
  CHECK(allowed("x-user") == std::pair(true, false));
  CHECK(allowed("x-envoy-decompressor-gzip-compressed-bytes") == std::pair(true, false));
  for (const char* name : {"x-envoy-original-path", "content-length", "host", "authorization", "x-forwarded-for"}) {
    CHECK(allowed(name) == std::pair(false, false));
  }
}

}  // namespace
}  // namespace sluice::http
