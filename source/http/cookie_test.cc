#include "source/http/cookie.h"

#include <catch2/catch.hpp>

namespace sluice::http {
namespace {

TEST_CASE("a cookie is found by its whole name, with and without quotes and spaces") {
  CHECK(cookieIn("a=1; b=2", "a") == "1");
  CHECK(cookieIn("a=1; b=2", "b") == "2");
  CHECK(cookieIn("a=1;b=\"2 \" ;c=", "b") == "2 ");
  CHECK(cookieIn("a=1;b=2 ;c=", "c") == "");
  CHECK(cookieIn("a=1; a=2", "a") == "1");
  CHECK(cookieIn("a=b=c", "a") == "b=c");
  CHECK(cookieIn("a=\"", "a") == "\"");
  CHECK(cookieIn("ab=1; xa=2; a", "a") == std::nullopt);
  CHECK(cookieIn("", "a") == std::nullopt);
}

TEST_CASE("cookies may come in several lines") {
  base::Arena arena;
  RequestHeaders headers(arena);
  CHECK(cookieOf(headers, "a") == std::nullopt);
  headers.add(Name::kCookie, "x=1");
  headers.add(Name::kCookie, "a=2; y=3");

  CHECK(cookieOf(headers, "a") == "2");
  CHECK(cookieOf(headers, "z") == std::nullopt);
}

}  // namespace
}  // namespace sluice::http
