#include "source/extensions/filters/http/oauth2/cookies.h"

#include <catch2/catch.hpp>
#include <string>

#include "source/base/arena.h"
#include "source/extensions/filters/http/oauth2/seal.h"

namespace sluice::extensions::http_filters::oauth2 {
namespace {

using std::chrono::seconds;

CookieRules namedRules() {
  CookieRules out;
  const char* const names[] = {"B", "H", "E", "I", "R", "N", "V"};
  for (size_t i = 0; i < kCookieKinds; ++i) out.of[i].name = names[i];
  return out;
}

struct Request {
  explicit Request(const std::vector<std::string>& fields) {
    for (const std::string& field : fields) headers.add(http::Name::kCookie, field);
  }
  CookieJar jar() const { return CookieJar(rules, headers); }

  const CookieRules rules = namedRules();
  base::Arena arena;
  http::HeaderList headers{arena};
};

TEST_CASE("a value in pieces is whole only with all of them") {
  const auto value = [](const std::vector<std::string>& fields) {
    return Request(fields).jar().value(CookieKind::kBearerToken).value_or("none");
  };
  CHECK(value({"B=a"}) == "a");
  CHECK(value({"x=1; B=*3*a", "B.2=c; B.1=b"}) == "abc");
  CHECK(value({"B=*3*a; B.1=b"}) == "none");
  CHECK(value({"B=*1*a"}) == "none");
  CHECK(value({"B=*17*a"}) == "none");
  CHECK(value({"B=*x*a"}) == "none");
  CHECK(value({"B=*2"}) == "none");
  CHECK(value({"B=*-1*a"}) == "none");
  CHECK(value({"B.1=b"}) == "none");
  CHECK(value({"Bx=b; b=c"}) == "none");
  CHECK(value({"B=a; B=b"}) == "a");
}

TEST_CASE("a value is cut where browsers would drop it, and old pieces go") {
  Request request({"B=*4*a; B.1=b; B.2=c; B.3=d"});
  const CookieJar jar = request.jar();
  CookieWriter writer(request.rules, jar, true);

  CHECK(writer.set(CookieKind::kBearerToken, std::string(2 * kMaxPiece - 100, 'x'), seconds(60)));

  const std::vector<std::string> fields = writer.take();
  REQUIRE(fields.size() == 4);
  CHECK_THAT(fields[0], Catch::StartsWith("B.2=; Max-Age=0"));
  CHECK_THAT(fields[1], Catch::StartsWith("B.3=; Max-Age=0"));
  CHECK_THAT(fields[2], Catch::StartsWith("B=*2*xxx"));
  CHECK_THAT(fields[3], Catch::StartsWith("B.1=xxx"));
  CHECK_FALSE(writer.set(CookieKind::kBearerToken, std::string(kMaxPieces * kMaxPiece, 'x'), seconds(60)));
}

TEST_CASE("without TLS cookies are not Secure, but where browsers would not take them") {
  Request request({});
  CookieRules rules = request.rules;
  rules.of[0].same_site = SameSite::kNone;
  const CookieJar jar = request.jar();
  CookieWriter writer(rules, jar, false);
  writer.set(CookieKind::kBearerToken, "", "a", seconds(60));
  writer.set(CookieKind::kHmac, "", "a", seconds(60));
  const std::vector<std::string> fields = writer.take();
  CHECK(fields[0] == "B=a; Max-Age=60; Path=/; Secure; SameSite=None; HttpOnly");
  CHECK(fields[1] == "H=a; Max-Age=60; Path=/; SameSite=Lax; HttpOnly");
}

TEST_CASE("a flood of cookies is not looked at") {
  std::string field;
  for (int i = 0; i < 10'000; ++i) field += "N." + std::to_string(i) + "=x; ";
  Request request({field + "a=1"});
  CHECK(request.jar().suffixes(CookieKind::kNonce).size() == kMaxCookies);
  removeCookies(request.rules, request.headers);
  REQUIRE(request.headers.size() == 1);
  CHECK(request.headers.begin()->value == "a=1");
}

TEST_CASE("what is sealed opens for its purpose, its site and its client only") {
  const Sealer sealer("a secret of this site", "client"), other("a secret of this site", "other");
  const std::string sealed = sealer.seal(Purpose::kState, "a.example", "text");
  CHECK(sealer.open(Purpose::kState, "a.example", sealed) == "text");
  CHECK_FALSE(sealer.open(Purpose::kNonce, "a.example", sealed));
  CHECK_FALSE(sealer.open(Purpose::kState, "b.example", sealed));
  CHECK_FALSE(other.open(Purpose::kState, "a.example", sealed));
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = changed[i] == 'A' ? 'Q' : 'A';
    CHECK_FALSE(sealer.open(Purpose::kState, "a.example", changed));
    CHECK_FALSE(sealer.open(Purpose::kState, "a.example", sealed.substr(0, i)));
  }
  CHECK(sealer.open(Purpose::kState, "", sealer.seal(Purpose::kState, "", "")) == "");
  CHECK(sealer.mac("s", {"a", "b"}) != sealer.mac("s", {"ab", ""}));
  CHECK(sealer.mac("s", {"a", "b"}) != other.mac("s", {"a", "b"}));
}

}  // namespace
}  // namespace sluice::extensions::http_filters::oauth2
