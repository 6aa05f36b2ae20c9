#include "source/extensions/filters/http/oauth2_server/grants.h"

#include <catch2/catch.hpp>

#include "source/base/base64_url.h"
#include "source/extensions/filters/http/oauth2_server/test_state.h"

namespace sluice::extensions::http_filters::oauth2_server {
namespace {

using std::chrono::seconds;
using testing::grantOf;
using testing::kNow;

const std::string kVerifier = "verifier", kReturn = "https://app.example/cb";

struct Bed {
  Decision decide(const Question& question) { return Grants(state, rules, now).decide(question); }
  // The error, or "".
  static std::string error(const Decision& decision) {
    const auto* const refusal = std::get_if<Refusal>(&decision.answer);
    return refusal == nullptr ? "" : std::string(refusal->error);
  }
  Terms terms(std::string client = "app") const {
    return {.client = std::move(client),
            .bound = bound,
            .access_lifetime = seconds(300),
            .refresh_lifetime = seconds(1000),
            .refreshes = refreshes,
            .is_public = is_public,
            .most = most};
  }
  std::string code() {
    const Decision out = decide(CodeQuestion{grantOf(), kReturn, filter::digestOf(kVerifier), seconds(60)});
    REQUIRE(std::holds_alternative<Code>(out.answer));
    return std::get<Code>(out.answer).code;
  }
  Decision exchange(const std::string& code, const std::string& verifier = kVerifier,
                    const std::string& redirect_uri = kReturn, const std::string& client = "app") {
    return decide(ExchangeQuestion{code, redirect_uri, filter::digestOf(verifier), {}, terms(client)});
  }
  Tokens login() {
    const Decision out = exchange(code());
    INFO(error(out));
    REQUIRE(std::holds_alternative<Tokens>(out.answer));
    return std::get<Tokens>(out.answer);
  }
  Decision refresh(const std::string& token, const std::string& scope = "", const std::string& resource = "",
                   const std::string& client = "app") {
    return decide(RefreshQuestion{token, scope, resource, terms(client)});
  }
  // The next refresh token, which has to be given.
  std::string rotated(const std::string& token) {
    const Decision out = refresh(token);
    INFO(error(out));
    REQUIRE(std::holds_alternative<Tokens>(out.answer));
    return std::get<Tokens>(out.answer).refresh_token;
  }
  bool isActive(const Tokens& tokens) {
    return std::get<Activity>(decide(IntrospectQuestion{{}, tokens.id}).answer).active;
  }
  Activity activity(const std::string& refresh_token) {
    return std::get<Activity>(decide(IntrospectQuestion{refresh_token, {}}).answer);
  }

  State state;
  Grants::Rules rules;
  WallTime now = kNow;
  std::string bound;
  bool refreshes = true, is_public = true;
  Grant most = grantOf("");
};

TEST_CASE("a code becomes tokens once, for its client, its place and its verifier") {
  Bed bed;
  const std::string code = bed.code();

  CHECK(Bed::error(bed.exchange(code, "other")) == "invalid_grant");
  CHECK(Bed::error(bed.exchange(code, kVerifier, kReturn + "/")) == "invalid_grant");
  CHECK(Bed::error(bed.exchange(code, kVerifier, kReturn, "other")) == "invalid_grant");
  CHECK(Bed::error(bed.exchange(code + "A")) == "invalid_grant");
  const Decision good = bed.exchange(code);
  REQUIRE(std::holds_alternative<Tokens>(good.answer));
  const auto& tokens = std::get<Tokens>(good.answer);
  CHECK(tokens.grant == grantOf());
  CHECK(tokens.expires == kNow + seconds(300));
  CHECK(base::fromBase64Url(tokens.refresh_token)->size() == 48);
  CHECK(bed.isActive(tokens));
}

TEST_CASE("a code that comes again ends what it was used for") {
  Bed bed;
  const std::string code = bed.code();
  const auto tokens = std::get<Tokens>(bed.exchange(code).answer);

  CHECK_FALSE(bed.exchange(code, kVerifier, kReturn, "other").reused);
  CHECK(bed.isActive(tokens));
  const Decision again = bed.exchange(code);

  CHECK(Bed::error(again) == "invalid_grant");
  CHECK(again.reused);
  // There is nothing more to end, nor to write.
  CHECK(bed.exchange(code).changes.empty());
  CHECK_FALSE(bed.isActive(tokens));
  CHECK(Bed::error(bed.refresh(tokens.refresh_token)) == "invalid_grant");
}

TEST_CASE("a code expires") {
  Bed bed;
  const std::string code = bed.code();
  bed.now += seconds(60);
  CHECK(Bed::error(bed.exchange(code)) == "invalid_grant");
}

TEST_CASE("each refresh token is for one use, and the second ends the login") {
  Bed bed;
  const Tokens tokens = bed.login();
  const std::string second = bed.rotated(tokens.refresh_token);
  const std::string third = bed.rotated(second);
  CHECK(second != tokens.refresh_token);

  const Decision reused = bed.refresh(tokens.refresh_token);

  CHECK(Bed::error(reused) == "invalid_grant");
  CHECK(reused.reused);
  CHECK(Bed::error(bed.refresh(third)) == "invalid_grant");
  CHECK_FALSE(bed.isActive(tokens));
  CHECK(bed.state.logins() == 0);
}

TEST_CASE("nobody ends a login by what access tokens tell, or as another client") {
  Bed bed;
  const Tokens tokens = bed.login();
  const std::string id = *base::fromBase64Url(tokens.id.substr(0, tokens.id.find('.')));
  const std::string forged = base::toBase64Url(id + std::string(32, 'x'));

  CHECK_FALSE(bed.refresh(forged).reused);
  CHECK_FALSE(bed.refresh("x").reused);
  CHECK_FALSE(bed.refresh(tokens.refresh_token, "", "", "other").reused);
  bed.rotated(tokens.refresh_token);
}

TEST_CASE("for a while the token before may be taken again, where that is configured") {
  Bed bed;
  bed.rules.reuse_grace = seconds(10);
  const std::string first = bed.login().refresh_token;
  const std::string lost = bed.rotated(first);
  bed.now += seconds(9);
  const std::string second = bed.rotated(first);

  SECTION("but the one that was lost is over") {
    CHECK(bed.refresh(lost).reused);
    CHECK(Bed::error(bed.refresh(second)) == "invalid_grant");
  }
  SECTION("and not for longer") {
    bed.now += seconds(1);
    CHECK(bed.refresh(first).reused);
  }
}

TEST_CASE("a login ends when it is over, however often it is refreshed") {
  Bed bed;
  std::string token = bed.login().refresh_token;
  bed.now += seconds(999);
  const auto late = std::get<Tokens>(bed.refresh(token).answer);
  bed.now += seconds(1);

  CHECK(Bed::error(bed.refresh(late.refresh_token)) == "invalid_grant");
  CHECK_FALSE(bed.activity(late.refresh_token).active);
  bed.state.expire(bed.now);
  CHECK(bed.isActive(late));
  bed.state.expire(kNow + seconds(999 + 300));
  CHECK(bed.state.logins() == 0);
}

TEST_CASE("tokens are for less than was granted where that is asked for, never for more") {
  Bed bed;
  const std::string first = bed.login().refresh_token;
  CHECK(Bed::error(bed.refresh(first, "read admin")) == "invalid_scope");
  CHECK(Bed::error(bed.refresh(first, "", "https://third.example")) == "invalid_target");

  const auto less = std::get<Tokens>(bed.refresh(first, "write", "https://other.example").answer);
  CHECK(less.grant.scope == "write");
  CHECK(less.grant.audiences == std::vector<std::string>{"https://other.example"});
  const auto all = std::get<Tokens>(bed.refresh(less.refresh_token).answer);
  CHECK(all.grant == grantOf());
}

TEST_CASE("what a client may no more is in no token") {
  Bed bed;
  const std::string first = bed.login().refresh_token;
  bed.most.scope = "admin write";
  bed.most.audiences = {"https://api.example"};

  const auto tokens = std::get<Tokens>(bed.refresh(first).answer);

  CHECK(tokens.grant.scope == "write");
  CHECK(tokens.grant.audiences == bed.most.audiences);
  bed.most.audiences = {"https://new.example"};
  CHECK(Bed::error(bed.refresh(tokens.refresh_token)) == "invalid_target");
}

TEST_CASE("a public client's refresh tokens are bound to its certificate") {
  Bed bed;
  bed.bound = "cert";
  const std::string first = bed.login().refresh_token;
  bed.bound = "other";
  CHECK(Bed::error(bed.refresh(first)) == "invalid_grant");
  bed.is_public = false;
  const auto tokens = std::get<Tokens>(bed.refresh(first).answer);
  CHECK(tokens.bound == "other");
}

TEST_CASE("without refresh tokens a login is there as long as its access token") {
  Bed bed;
  bed.refreshes = false;
  const Tokens tokens = bed.login();
  CHECK(tokens.refresh_token.empty());
  CHECK(bed.isActive(tokens));
  bed.state.expire(kNow + seconds(300));
  CHECK_FALSE(bed.isActive(tokens));
}

TEST_CASE("a client's own tokens leave nothing behind") {
  Bed bed;
  const Decision out = bed.decide(ClientQuestion{grantOf(""), bed.terms()});
  CHECK(out.changes.empty());
  CHECK(bed.isActive(std::get<Tokens>(out.answer)));
}

TEST_CASE("what is revoked is inactive") {
  Bed bed;
  const Tokens tokens = bed.login(), other = bed.login();
  CHECK(bed.activity(tokens.refresh_token).active);
  CHECK(bed.activity(tokens.refresh_token).grant == grantOf());

  bed.decide(RevokeQuestion{"app", {}, tokens.id, tokens.expires});
  CHECK_FALSE(bed.isActive(tokens));
  CHECK(bed.activity(tokens.refresh_token).active);
  CHECK(Bed::error(bed.decide(RevokeQuestion{"other", tokens.refresh_token, {}, {}})) == "invalid_grant");
  bed.decide(RevokeQuestion{"app", tokens.refresh_token, {}, {}});
  CHECK_FALSE(bed.activity(tokens.refresh_token).active);
  CHECK(bed.isActive(other));
  CHECK(std::holds_alternative<Done>(bed.decide(RevokeQuestion{"app", "unknown", {}, {}}).answer));
}

TEST_CASE("what strangers can fill has bounds") {
  Bed bed;
  bed.rules.limits = {.codes = 2, .logins = 1, .revoked_tokens = 1};
  const std::string first = bed.code(), second = bed.code();
  const Question third = CodeQuestion{grantOf(), kReturn, filter::digestOf(kVerifier), seconds(60)};
  CHECK(Bed::error(bed.decide(third)) == "temporarily_unavailable");
  CHECK(Bed::error(bed.exchange(first)).empty());
  CHECK(Bed::error(bed.exchange(second)) == "temporarily_unavailable");
  const auto revoke = [&](const char* id) {
    return Bed::error(bed.decide(RevokeQuestion{"app", {}, id, kNow + seconds(1)}));
  };
  CHECK(revoke("a").empty());
  CHECK(revoke("b") == "temporarily_unavailable");
  CHECK(revoke("a").empty());
  // Of a token of a login all of that goes, which takes no room.
  bed.rules.limits.logins = 2;
  const Tokens tokens = std::get<Tokens>(bed.exchange(second).answer);
  CHECK(revoke(tokens.id.c_str()).empty());
  CHECK_FALSE(bed.isActive(tokens));
  CHECK(bed.state.revoked() == 1);
  CHECK(bed.state.logins() == 1);

  bed.now += seconds(60);
  bed.state.expire(bed.now);
  bed.code();
}

TEST_CASE("a user takes no place from others") {
  Bed bed;
  bed.rules.limits = {.codes = 3, .logins = 3, .per_user = 2};
  const auto ask = [&](const std::string& user) {
    return bed.decide(CodeQuestion{grantOf(user), kReturn, filter::digestOf(kVerifier), seconds(60)});
  };
  const auto login = [&](const std::string& user) {
    const Decision code = ask(user);
    REQUIRE(std::holds_alternative<Code>(code.answer));
    const Decision out = bed.exchange(std::get<Code>(code.answer).code);
    INFO(Bed::error(out));
    REQUIRE(std::holds_alternative<Tokens>(out.answer));
    bed.now += seconds(61);
    bed.state.expire(bed.now);
    return std::get<Tokens>(out.answer);
  };

  SECTION("by codes") {
    ask("ann");
    ask("ann");
    CHECK(Bed::error(ask("ann")) == "temporarily_unavailable");
    CHECK(Bed::error(ask("bob")).empty());
    bed.now += seconds(60);
    bed.state.expire(bed.now);
    CHECK(Bed::error(ask("ann")).empty());
  }
  SECTION("by logins, of which the one goes that would be over first") {
    const Tokens first = login("ann"), second = login("ann"), third = login("ann");
    CHECK_FALSE(bed.activity(first.refresh_token).active);
    CHECK(bed.activity(second.refresh_token).active);
    const Tokens other = login("bob");
    CHECK(bed.activity(other.refresh_token).active);
    CHECK(bed.state.loginsOf("ann") == 2);
    bed.rotated(third.refresh_token);
    CHECK(bed.state.loginsOf("ann") == 2);
    bed.decide(RevokeQuestion{"app", second.refresh_token, {}, {}});
    bed.state.expire(bed.now + seconds(100'000));
    CHECK(bed.state.loginsOf("ann") + bed.state.loginsOf("bob") == 0);
    CHECK(bed.state.firstOver("ann") == nullptr);
  }
}

TEST_CASE("changes make the state that they are told of") {
  Bed bed;
  State copy;
  const auto follow = [&](const Decision& decision) {
    for (const Change& change : decision.changes) copy.apply(change);
  };
  const Decision code = bed.decide(CodeQuestion{grantOf(), kReturn, filter::digestOf(kVerifier), seconds(60)});
  follow(code);
  const Decision tokens = bed.exchange(std::get<Code>(code.answer).code);
  follow(tokens);
  CHECK(testing::bytesOf(copy) == testing::bytesOf(bed.state));
  const std::string& refresh = std::get<Tokens>(tokens.answer).refresh_token;
  follow(bed.refresh(refresh));
  CHECK(testing::bytesOf(copy) == testing::bytesOf(bed.state));
  follow(bed.refresh(refresh));
  CHECK(copy.logins() == 0);
  CHECK(testing::bytesOf(copy) == testing::bytesOf(bed.state));
}

}  // namespace
}  // namespace sluice::extensions::http_filters::oauth2_server
