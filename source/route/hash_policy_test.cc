#include "source/route/hash_policy.h"

#include <catch2/catch.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/base/xx_hash.h"
#include "source/route/test_request.h"

namespace sluice::route {
namespace {

using base::xxHash64;
using Kind = HashTerm::Kind;

struct Cookies final : CookieSink {
  void addCookie(std::string_view set_cookie) override { made.emplace_back(set_cookie); }
  std::vector<std::string> made;
};

struct Asking {
  explicit Asking(std::string_view path, std::vector<std::pair<std::string_view, std::string_view>> fields = {})
      : request(path, "a.test", std::move(fields)) {
    info.downstream_remote_address = "10.1.2.3:4567";
    info.downstream_local_address = "10.0.0.1:80";
  }
  std::optional<uint64_t> hash(const HashPolicy& policy) { return hashOf(policy, *request, info, cookies); }

  TestRequest request;
  stream::StreamInfo info;
  Cookies cookies;
};

HashTerm header(std::string name) {
  HashTerm out{.kind = Kind::kHeader, .name = std::move(name)};
  out.id = http::nameOf(out.name);
  return out;
}
HashTerm cookie(std::string name, std::string attributes) {
  return {
      .kind = Kind::kCookie, .name = std::move(name), .makes_cookie = true, .cookie_attributes = std::move(attributes)};
}

TEST_CASE("the value of a header is hashed, several in whatever order they came") {
  Asking one("/", {{"x-user", "anna"}});
  Asking two("/", {{"x-user", "b"}, {"x-user", "a"}});
  Asking turned("/", {{"x-user", "a"}, {"x-user", "b"}});

  CHECK(one.hash({header("x-user")}) == xxHash64("anna"));
  CHECK(one.hash({header(":authority")}) == xxHash64("a.test"));
  CHECK(one.hash({header("x-other")}) == std::nullopt);
  CHECK(two.hash({header("x-user")}) == xxHash64("b", xxHash64("a")));
  CHECK(turned.hash({header("x-user")}) == two.hash({header("x-user")}));
}

TEST_CASE("a part of a header is hashed where a pattern replaces the rest") {
  Asking asking("/", {{"x-path", "/users/7/photos"}});
  HashTerm term = header("x-path");
  term.pattern = *compileRegex("^/users/([0-9]+)/.*$");
  term.substitution = "\\1";

  CHECK(asking.hash({term}) == xxHash64("7"));
}

TEST_CASE("the client's address is hashed without its port") {
  Asking asking("/");

  CHECK(asking.hash({HashTerm{}}) == xxHash64("10.1.2.3"));
  asking.info.downstream_remote_address = "[2001:db8::1]:80";
  CHECK(asking.hash({HashTerm{}}) == xxHash64("2001:db8::1"));
  asking.info.downstream_remote_address = "";
  CHECK(asking.hash({HashTerm{}}) == std::nullopt);
}

TEST_CASE("query parameters and objects of filters are hashed") {
  Asking asking("/?k=v&k=w&e=");
  asking.info.filterState().set("object", "text");

  CHECK(asking.hash({{.kind = Kind::kQueryParameter, .name = "k"}}) == xxHash64("v"));
  CHECK(asking.hash({{.kind = Kind::kQueryParameter, .name = "e"}}) == xxHash64(""));
  CHECK(asking.hash({{.kind = Kind::kQueryParameter, .name = "x"}}) == std::nullopt);
  CHECK(asking.hash({{.kind = Kind::kFilterState, .name = "object"}}) == xxHash64("text"));
  CHECK(asking.hash({{.kind = Kind::kFilterState, .name = "other"}}) == std::nullopt);
}

TEST_CASE("a cookie is hashed, and one made of the connection's addresses where there is none") {
  Asking with("/", {{"cookie", "a=1; b=\"2\""}});
  Asking without("/");

  CHECK(with.hash({cookie("b", "; HttpOnly")}) == xxHash64("2"));
  CHECK(with.cookies.made.empty());
  CHECK(without.hash({{.kind = Kind::kCookie, .name = "b"}}) == std::nullopt);
  CHECK(without.cookies.made.empty());
  const auto hash = without.hash({cookie("b", "; Max-Age=60; HttpOnly")});
  // xxHash64 of "10.1.2.3:456710.0.0.1:80"
  CHECK(without.cookies.made == std::vector<std::string>{"b=\"8d79340ff80cb92b\"; Max-Age=60; HttpOnly"});
  CHECK(hash == xxHash64("8d79340ff80cb92b"));
}

TEST_CASE("clients behind one address of x-forwarded-for are given cookies of their connections") {
  Asking one("/"), two("/");
  one.info.downstream_remote_address = two.info.downstream_remote_address = "203.0.113.9:0";
  one.info.downstream_direct_remote_address = "10.1.2.3:4567";
  two.info.downstream_direct_remote_address = "10.1.2.3:4568";

  CHECK(one.hash({cookie("b", "")}) == xxHash64("8d79340ff80cb92b"));
  CHECK(two.hash({cookie("b", "")}) != one.hash({cookie("b", "")}));
}

TEST_CASE("terms add up, equal ones do not cancel each other out, and a terminal one with a hash ends them") {
  Asking asking("/?k=v", {{"x-user", "anna"}});
  const uint64_t anna = xxHash64("anna"), v = xxHash64("v");
  const HashTerm query{.kind = Kind::kQueryParameter, .name = "k"};
  HashTerm last = header("x-user"), absent = header("x-other");
  last.terminal = absent.terminal = true;

  CHECK(asking.hash({}) == std::nullopt);
  CHECK(asking.hash({header("x-user"), query}) == ((anna << 1 | anna >> 63) ^ v));
  CHECK(asking.hash({query, query}) == ((v << 1 | v >> 63) ^ v));
  CHECK(asking.hash({last, query}) == anna);
  CHECK(asking.hash({absent, query}) == v);
}

}  // namespace
}  // namespace sluice::route
