#include "source/filter/credentials/basic_login.h"

#include <catch2/catch.hpp>

namespace sluice::filter {
namespace {

TEST_CASE("the scheme is Basic, in any case") {
  CHECK(credentialsOf("Basic YTpi") == "YTpi");
  CHECK(credentialsOf("bAsIc YTpi") == "YTpi");
  CHECK(credentialsOf("Basic ") == "");
  CHECK_FALSE(credentialsOf("Basic"));
  CHECK_FALSE(credentialsOf("Bearer YTpi"));
  CHECK_FALSE(credentialsOf("Basics YTpi"));
  CHECK_FALSE(credentialsOf(""));
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

TEST_CASE("the scheme may be another one") {
  CHECK(credentialsOf("LDAP YTpi", "ldap") == "YTpi");
  CHECK_FALSE(credentialsOf("Basic YTpi", "ldap"));
}

TEST_CASE("the name of a user is what may stand in a header") {
  for (const char* good : {"a", "ali baba", "p\xc3\xa4", "a,b=c"}) CHECK(isUserName(good));
  for (const char* bad : {"", " a", "a ", "a\rb", "a\nb", "a\tb", "\x7f"}) CHECK_FALSE(isUserName(bad));
  CHECK_FALSE(isUserName({"a\0b", 3}));
}

}  // namespace
}  // namespace sluice::filter
