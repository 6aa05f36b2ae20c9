#include "source/http/cookie.h"

#include <catch2/catch.hpp>

namespace sluice::http {
namespace {

std::optional<std::string_view> find(std::initializer_list<std::string_view> fields, std::string_view name) {
  static base::Arena arena;
  HeaderList headers(arena);
  for (const std::string_view field : fields) headers.add("cookie", field);
  return cookieValue(headers, name);
}

}  // namespace

TEST_CASE("a cookie is found among others, in any field, by its whole name") {
  CHECK(find({"a=1; b=2"}, "b") == "2");
  CHECK(find({"a=1", "ab=3;b=2;"}, "b") == "2");
  CHECK(find({" b = 1 ;b=2"}, "b") == "2");
  CHECK(find({"b=x=y"}, "b") == "x=y");
  CHECK(find({"b="}, "b") == "");
  CHECK_FALSE(find({"b"}, "b"));
  CHECK_FALSE(find({"B=1; bb=2"}, "b"));
  CHECK_FALSE(find({}, "b"));
  CHECK_FALSE(find({"", ";;"}, "b"));
}

TEST_CASE("the first of two cookies counts, without the quotes around it") {
  CHECK(find({"b=\"1\"; b=2"}, "b") == "1");
  CHECK(find({"b=\""}, "b") == "\"");
}

TEST_CASE("cookies are taken off a field one by one") {
  std::string_view rest = "a=1;; b=\"2\" ;c";

  const Cookie a = takeCookie(rest), nothing = takeCookie(rest), b = takeCookie(rest), c = takeCookie(rest);

  CHECK((a.text == "a=1" && a.name == "a" && a.value == "1"));
  CHECK((nothing.text.empty() && !nothing.isSet()));
  CHECK((b.text == "b=\"2\"" && b.name == "b" && b.value == "2"));
  CHECK((c.name == "c" && !c.isSet()));
  CHECK(rest.empty());
}

TEST_CASE("each cookie that a server may take for one of that name is removed, and no other") {
  base::Arena arena;
  HeaderList headers(arena);
  for (const char* field : {"a=1; b=2;b =3", "b=4", "bb=5 ;b; B=6"}) headers.add("cookie", field);

  removeCookies(headers, "b");

  CHECK(headers.getAll("cookie") == "a=1; bb=5; b; B=6");
  removeCookies(headers, "c");
  CHECK(headers.getAll("cookie") == "a=1; bb=5; b; B=6");
}

TEST_CASE("a cookie is set with what is configured and is not for scripts") {
  base::Arena arena;

  CHECK(setCookieText(arena, {.name = "a"}, "v") == "a=\"v\"; HttpOnly");
  CHECK(setCookieText(arena,
                      {.name = "a",
                       .path = "/x",
                       .max_age = std::chrono::seconds(60),
                       .attributes = {{"SameSite", "Lax"}, {"Secure", ""}}},
                      "v") == "a=\"v\"; Max-Age=60; Path=/x; SameSite=Lax; Secure; HttpOnly");
  CHECK(cookieAttributes({.name = "a"}) == "; HttpOnly");
}

}  // namespace sluice::http
