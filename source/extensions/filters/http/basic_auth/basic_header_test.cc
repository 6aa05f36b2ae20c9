#include "source/extensions/filters/http/basic_auth/basic_header.h"

#include <catch2/catch.hpp>

namespace sluice::extensions::http_filters::basic_auth {
namespace {

TEST_CASE("the scheme is Basic, in any case") {
  CHECK(basicToken("Basic YTpi") == "YTpi");
  CHECK(basicToken("bAsIc YTpi") == "YTpi");
  CHECK(basicToken("Basic ") == "");
  CHECK_FALSE(basicToken("Basic"));
  CHECK_FALSE(basicToken("Bearer YTpi"));
  CHECK_FALSE(basicToken("Basics YTpi"));
  CHECK_FALSE(basicToken(""));
}

TEST_CASE("user and password stand in front of the first colon and behind it") {
  const auto login = decodeLogin("YWxpOnNlczphbWU=");  // ali:ses:ame
  REQUIRE(login);
  CHECK(login->user() == "ali");
  CHECK(login->password() == "ses:ame");

  const auto unpadded = decodeLogin("YWxpOnNlczphbWU");
  REQUIRE(unpadded);
  CHECK(unpadded->text == login->text);

  const auto empty = decodeLogin("Og==");  // :
  REQUIRE(empty);
  CHECK(empty->user().empty());
  CHECK(empty->password().empty());
}

TEST_CASE("what is no base64 or has no colon is no login") {
  CHECK_FALSE(decodeLogin(""));
  CHECK_FALSE(decodeLogin("YWxp"));  // ali
  CHECK_FALSE(decodeLogin("ali:sesame"));
  CHECK_FALSE(decodeLogin("YWxpOnNlczphbWU=YWxpOg=="));
}

}  // namespace
}  // namespace sluice::extensions::http_filters::basic_auth
