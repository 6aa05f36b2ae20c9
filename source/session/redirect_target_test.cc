// What of a Location becomes a request, and what does not.
#include "source/session/redirect_target.h"

#include <catch2/catch.hpp>
#include <string>

namespace sluice::session {
namespace {

// "scheme authority path"; empty: it is refused.
std::string targetOf(std::initializer_list<std::string_view> locations) {
  base::Arena arena;
  http::ResponseHeaders redirect(arena);
  for (const std::string_view location : locations) redirect.add(http::Name::kLocation, location);
  const std::optional<RedirectTarget> target = redirectTarget(arena, redirect);
  if (!target) return "";
  return std::string(target->scheme) + " " + std::string(target->authority) + " " + std::string(target->path);
}

TEST_CASE("an absolute location names scheme, authority and path") {
  CHECK(targetOf({"http://a.example/b?c=d"}) == "http a.example /b?c=d");
  CHECK(targetOf({"HTTPS://a.example:8443/"}) == "https a.example:8443 /");
  CHECK(targetOf({"http://[::1]:80/x"}) == "http [::1]:80 /x");
}

TEST_CASE("a location without a path names the root") {
  CHECK(targetOf({"http://a"}) == "http a /");
  CHECK(targetOf({"http://a?b=c"}) == "http a /?b=c");
}

TEST_CASE("a fragment is the client's and goes off") {
  CHECK(targetOf({"http://a/b#c?d"}) == "http a /b");
  CHECK(targetOf({"http://a#@b"}) == "http a /");
}

TEST_CASE("what is no absolute http location of one meaning is refused") {
  CHECK(targetOf({}) == "");
  CHECK(targetOf({""}) == "");
  CHECK(targetOf({"/b"}) == "");
  CHECK(targetOf({"b"}) == "");
  CHECK(targetOf({"//a/b"}) == "");
  CHECK(targetOf({"http:/a/b"}) == "");
  CHECK(targetOf({"http://"}) == "");
  CHECK(targetOf({"http:///b"}) == "");
  CHECK(targetOf({"ftp://a/b"}) == "");
  CHECK(targetOf({"httpx://a/b"}) == "");
  CHECK(targetOf({"file:///etc/passwd"}) == "");
  CHECK(targetOf({"http://a/", "http://b/"}) == "");
}

TEST_CASE("user information and characters of no host are refused") {
  CHECK(targetOf({"http://user@a/"}) == "");
  CHECK(targetOf({"http://user:pass@a/"}) == "");
  CHECK(targetOf({"http://a\\@b/"}) == "");
  CHECK(targetOf({"http://a%2eb@c/"}) == "");
  CHECK(targetOf({"http://a:b/"}) == "");
  CHECK(targetOf({"http://a:99999/"}) == "");
  CHECK(targetOf({"http://[::1/"}) == "");
}

TEST_CASE("bytes that no request line may hold are refused") {
  CHECK(targetOf({"http://a/b c"}) == "");
  CHECK(targetOf({"http://a/b\r\nx: y"}) == "");
  CHECK(targetOf({std::string_view("http://a/\0", 10)}) == "");
  CHECK(targetOf({"http://a/\x7f"}) == "");
  CHECK(targetOf({"http://a/\xc3\xa9"}) == "");
  CHECK(targetOf({"http://a\t/"}) == "");
}

}  // namespace
}  // namespace sluice::session
