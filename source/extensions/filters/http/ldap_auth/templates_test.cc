#include "source/extensions/filters/http/ldap_auth/templates.h"

#include <catch2/catch.hpp>

#include <string>

namespace sluice::extensions::http_filters::ldap_auth {
namespace {

std::string fill(std::string_view text, std::string_view user, std::string_view dn = "") {
  const auto parsed = FilterTemplate::parse(text, true);
  return parsed.ok() ? parsed->fill(user, dn) : std::string(parsed.status().message());
}

std::string problem(std::string_view text, bool has_dn = false) {
  return std::string(FilterTemplate::parse(text, has_dn).status().message());
}

TEST_CASE("a value cannot end within a filter or a DN, nor begin anything there") {
  CHECK(escaped("ali.baba-1_2@example") == "ali.baba-1_2@example");
  CHECK(escaped("*") == "\\2a");
  CHECK(escaped("a)(uid=*") == "a\\29\\28uid\\3d\\2a");
  CHECK(escaped("a,dc=x+b\"\\<>;#") == "a\\2cdc\\3dx\\2bb\\22\\5c\\3c\\3e\\3b\\23");
  CHECK(escaped(" a ") == "\\20a\\20");
  CHECK(escaped({"a\0b", 3}) == "a\\00b");
  CHECK(escaped("\xc3\xa4") == "\\c3\\a4");
  CHECK(escaped("").empty());
}

TEST_CASE("values stand in their places of a filter, escaped") {
  CHECK(fill("(uid={user})", "ali") == "(uid=ali)");
  CHECK(fill("(uid={user})", "a*") == "(uid=a\\2a)");
  CHECK(fill("(&(objectClass=person)(|(uid={user})(mail={user})))", "ali") ==
        "(&(objectClass=person)(|(uid=ali)(mail=ali)))");
  CHECK(fill("(member={dn})", "ali", "uid=ali,dc=x") == "(member=uid\\3dali\\2cdc\\3dx)");
  CHECK(fill("(!(cn:dn:2.4.8.10:=x{user}*\\7by))", "u") == "(!(cn:dn:2.4.8.10:=xu*\\7by))");
  CHECK(fill("(&(n>={user})(n<=2)(n~=3)(o;lang-de=*))", "1") == "(&(n>=1)(n<=2)(n~=3)(o;lang-de=*))");
  CHECK(fill("(a={user})", "{dn}", "x") == "(a=\\7bdn\\7d)");
}

TEST_CASE("what is no filter with a place is refused with what is wrong and where") {
  CHECK(problem("") == "has no \"(\" where a filter begins, at byte 0");
  CHECK(problem("uid={user}") == "has no \"(\" where a filter begins, at byte 0");
  CHECK(problem("(uid={user}") == "has no \")\" where a filter ends, at byte 11");
  CHECK(problem("(uid={user}))") == "has something behind its last parenthesis, at byte 12");
  CHECK(problem("({user}=x)") == "has no attribute where one is named, at byte 1");
  CHECK(problem("(uid{user}=x)") == "has no \"=\" behind an attribute, at byte 4");
  CHECK(problem("(&)") == "has no \"(\" where a filter begins, at byte 2");
  CHECK(problem("(uid=x)") == "does not name {user}, at byte 7");
  CHECK(problem("(uid=x)", true) == "names neither {dn} nor {user}, at byte 7");
  CHECK(problem("(uid={usr})").starts_with("has a brace that does not begin {user}"));
  CHECK(problem("(uid={dn})").starts_with("has a brace that does not begin {user}"));
  CHECK(problem("(uid={user}\\2)").starts_with("has a backslash without two"));
  CHECK(problem("(uid=({user})").starts_with("has a parenthesis"));
  std::string deep(17, '!');
  for (size_t i = 0; i < deep.size(); i += 2) deep.insert(i, "(");
  CHECK(problem(deep).starts_with("is nested too deeply"));
}

}  // namespace
}  // namespace sluice::extensions::http_filters::ldap_auth
