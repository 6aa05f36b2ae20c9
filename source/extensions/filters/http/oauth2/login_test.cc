// Logins that end otherwise, and those that somebody else would like to end.
#include <catch2/catch.hpp>

#include "source/extensions/filters/http/oauth2/test_site.h"
#include "source/jwt/token.h"

namespace sluice::extensions::http_filters::oauth2 {
namespace {

using namespace testing;  // NOLINT: the site of these tests

filter::HttpCallResponse answerOf(const std::string& body, uint16_t status = 200) {
  return {.status = status, .body = body};
}

TEST_CASE("several tabs log in beside each other, and end in any order") {
  World world(config());
  std::vector<std::string> callbacks, nonces;
  for (const char* path : {"/a", "/b", "/c"}) {
    world.authorized = world.ask(path).location;
    callbacks.push_back(world.callback());
    nonces.push_back(parameterOf(world.authorized, "nonce"));
  }
  size_t turn = 0;
  world.provider = [&](const auto&) { return answerOf(tokensOf("a", idToken(nonces[turn]))); };
  for (const size_t tab : {1u, 0u, 2u}) {
    turn = tab;
    CHECK(world.ask(callbacks[tab]).location == std::string("https://shop.example/") + "abc"[tab]);
  }
}

TEST_CASE("a browser keeps eight logins at most") {
  World world(config());
  std::vector<std::string> callbacks;
  for (int i = 0; i < 12; ++i) {
    world.authorized = world.ask("/").location;
    callbacks.push_back(world.callback());
  }
  CHECK(world.browser.count("OauthNonce.") == 8);
  CHECK(world.browser.count("CodeVerifier.") == 8);
  CHECK(world.ask(callbacks[3]).details == "oauth_login_unknown");
  CHECK(world.ask(callbacks[11]).status == 302);
}

TEST_CASE("nobody ends in a browser what was begun in another") {
  World world(config());
  const Answer begin = world.ask("/");
  world.authorized = begin.location;
  const auto own = world.browser.cookies;
  world.browser.cookies.clear();

  const Answer answer = world.ask(world.callback());

  CHECK(answer.status == 401);
  CHECK(answer.details == "oauth_login_unknown");
  CHECK_THAT(valuesOf(answer.headers, "content-type"), Catch::Contains("text/html"));
  CHECK(world.requests.empty());
  CHECK(world.counts["oauth_failure"] == 1);
  // The cookies of one login do not fit another.
  world.authorized = world.ask("/").location;
  const std::string id = world.browser.cookies[0].first;
  world.browser.cookies = {{id, own[0].second}, own[1], {world.browser.cookies[1].first, own[1].second}};
  CHECK(world.ask(world.callback()).details == "oauth_login_unknown");
}

TEST_CASE("a state that was not made here is worth nothing") {
  World world(config());
  for (const char* path : {"/callback", "/callback?code=c", "/callback?code=c&state=", "/callback?code=c&state=AAAA",
                           "/callback?error=<script>&state=x&error_description=call+555"}) {
    const Answer answer = world.ask(path);
    CHECK(answer.status == 401);
    CHECK(answer.details == "oauth_state_unknown");
    CHECK_THAT(answer.body, !Catch::Contains("script") && !Catch::Contains("555"));
  }
  CHECK(world.ask("/callback?code=c&code=d&state=x").details == "oauth_callback_malformed");
  CHECK(world.ask("/callback?code=c&state=x", {}, "POST").status == 405);
}

TEST_CASE("a login has its time") {
  World world(config(", csrf_token_expires_in: 60s"));
  world.authorized = world.ask("/").location;
  world.pass(std::chrono::seconds(60));
  CHECK(world.ask(world.callback()).details == "oauth_login_unknown");
  World verifier(config(", code_verifier_token_expires_in: 60s"));
  verifier.authorized = verifier.ask("/").location;
  verifier.pass(std::chrono::seconds(59));
  CHECK(verifier.ask(verifier.callback()).status == 302);
}

TEST_CASE("who goes back to the end of his login is led to his page") {
  World world(config());
  world.logIn("/page");
  const Answer answer = world.ask(world.callback());
  CHECK(answer.status == 302);
  CHECK(answer.location == "https://shop.example/page");
  CHECK(world.requests.size() == 1);
}

TEST_CASE("what the provider refuses is said, and nothing of it is markup") {
  World world(config());
  world.authorized = world.ask("/page").location;

  const Answer answer =
      world.ask("/callback?error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E&state=" +
                parameterOf(world.authorized, "state"));

  CHECK(answer.status == 401);
  CHECK(answer.details == "oauth_provider_error");
  CHECK_THAT(answer.body, Catch::Contains("access_denied: &lt;script&gt;") && !Catch::Contains("<script"));
  CHECK_THAT(answer.body, Catch::Contains("href=\"https://shop.example/page\""));
  CHECK(world.browser.cookies.empty());
}

TEST_CASE("answers of the token endpoint count in one meaning only") {
  const auto ended = [](const filter::HttpCallResponse& response) {
    World world(config("", "[user]"));
    world.provider = [&](const auto&) { return response; };
    const Answer answer = world.logIn();
    CHECK(world.browser.count("BearerToken") == 0);
    return std::to_string(answer.status) + " " + answer.details;
  };
  CHECK(ended({.status = 0, .failure = "timeout"}) == "503 oauth_token_endpoint_unreachable");
  CHECK(ended(answerOf("", 500)) == "503 oauth_token_endpoint_failed");
  CHECK(ended(answerOf(R"({"error":"invalid_grant"})", 400)) == "401 oauth_grant_refused");
  CHECK(ended(answerOf("", 302)) == "401 oauth_grant_refused");
  const std::string malformed = "401 oauth_token_answer_malformed";
  CHECK(ended(answerOf("")) == malformed);
  CHECK(ended(answerOf("<html>")) == malformed);
  CHECK(ended(answerOf("access_token=a")) == malformed);
  CHECK(ended(answerOf("{}")) == malformed);
  CHECK(ended(answerOf(R"({"access_token":""})")) == malformed);
  CHECK(ended(answerOf(R"({"access_token":1})")) == malformed);
  CHECK(ended(answerOf(R"({"access_token":"a\r\nb"})")) == malformed);
  CHECK(ended(answerOf(R"({"access_token":"a","access_token":"b"})")) == malformed);
  CHECK(ended(answerOf(R"({"access_token":"a","id_token":7})")) == malformed);
  CHECK(ended(answerOf(R"({"access_token":"a","expires_in":"60"})")) == malformed);
  CHECK(ended(answerOf(R"({"access_token":"a","expires_in":0})")) == malformed);
  CHECK(ended(answerOf(R"({"access_token":"a","expires_in":-1e300})")) == malformed);
  CHECK(ended(answerOf(R"({"access_token":")" + std::string(33 * 1024, 'a') + R"("})")) == malformed);
  CHECK(ended(answerOf(R"({"access_token":"a","token_type":"mac"})")) == "401 oauth_token_type_unknown");
  CHECK(ended(answerOf(R"({"access_token":"a","id_token":"x.y.z"})")) == "401 oauth_id_token_malformed");
  World fine(config("", "[user]"));
  fine.provider = [&](const auto&) {
    return answerOf(R"({"access_token":"a","token_type":"bearer","expires_in":1e300,"scope":null})");
  };
  CHECK(fine.logIn().status == 302);
}

TEST_CASE("an ID token has to be for this client, from this login, and of its time") {
  const auto ended = [](const std::function<std::string(const std::string& nonce)>& token,
                        const std::string& more = "") {
    World world(config());
    world.authorized = world.ask("/").location;
    world.provider = [&](const auto&) {
      return answerOf(tokensOf("a", token(parameterOf(world.authorized, "nonce"))));
    };
    return world.ask(world.callback(more)).details;
  };
  const auto of = [](const std::string& claims) {
    return [claims](const std::string& nonce) {
      return jwt::testing::token("HS256", absl::StrCat("{\"nonce\":\"", nonce, "\",", claims, "}"));
    };
  };
  const std::string good = R"("iss":"i","sub":"u","exp":1000100)";
  CHECK(ended(of(good + R"(,"aud":"shop 1")")) == "oauth_logged_in");
  CHECK(ended(of(good + R"(,"aud":["shop 1","x"],"azp":"shop 1")")) == "oauth_logged_in");
  CHECK(ended(of(good + R"(,"aud":["shop 1","x"])")) == "oauth_id_token_audience");
  CHECK(ended(of(good + R"(,"aud":"shop 1","azp":"x")")) == "oauth_id_token_audience");
  CHECK(ended(of(good + R"(,"aud":"x")")) == "oauth_id_token_audience");
  CHECK(ended(of(good)) == "oauth_id_token_audience");
  CHECK(ended(of(R"("iss":"i","sub":"u","aud":"shop 1","exp":999940)")) == "oauth_id_token_expired");
  CHECK(ended(of(R"("iss":"i","sub":"u","aud":"shop 1","exp":999941)")) == "oauth_logged_in");
  CHECK(ended(of(R"("iss":"i","sub":"u","aud":"shop 1")")) == "oauth_id_token_expired");
  CHECK(ended(of(good + R"(,"aud":"shop 1","nbf":1000061)")) == "oauth_id_token_not_yet_valid");
  CHECK(ended(of(R"("sub":"u","aud":"shop 1","exp":1000100)")) == "oauth_id_token_malformed");
  CHECK(ended([](const auto&) { return idToken("another"); }) == "oauth_id_token_nonce");
  CHECK(ended([](const auto&) { return std::string(); }) == "oauth_id_token_missing");
  CHECK(ended(of(good + R"(,"aud":"shop 1")"), "&iss=i") == "oauth_logged_in");
  CHECK(ended(of(good + R"(,"aud":"shop 1")"), "&iss=https://evil.example") == "oauth_id_token_issuer");
}

TEST_CASE("logins that lead to no session are not begun for ever") {
  World world(config());
  for (int i = 0; i < kMaxLoginsInARow; ++i) {
    REQUIRE(world.logIn().details == "oauth_logged_in");
    std::erase_if(world.browser.cookies, [](const auto& cookie) { return cookie.first.starts_with("OauthHMAC"); });
  }
  const Answer answer = world.ask("/page");
  CHECK(answer.status == 401);
  CHECK(answer.details == "oauth_login_loop");
  CHECK_THAT(answer.body, Catch::Contains("<h1>The login leads nowhere</h1>"));
  // Somebody tries again.
  CHECK(world.ask("/page").status == 302);
}

TEST_CASE("a session ends the row") {
  World world(config());
  for (int i = 0; i < 2 * kMaxLoginsInARow; ++i) {
    REQUIRE(world.logIn().details == "oauth_logged_in");
    REQUIRE(world.ask("/").went_on);
    CHECK(world.browser.count("OauthNonce") == 0);
    world.browser.cookies.clear();
  }
}

TEST_CASE("a login leads to this site only") {
  World world(config());
  const auto leads = [&](const std::string& path) { return world.logIn(path).location; };
  CHECK(leads("//evil.example/") == "https://shop.example//evil.example/");
  world.browser.cookies.clear();
  CHECK(leads("/\\evil.example") == "https://shop.example/");
  world.browser.cookies.clear();
  CHECK(leads("/" + std::string(3000, 'a')) == "https://shop.example/");
  for (const char* host : {"shop.example@evil.example", "a b", "evil.example\\@shop.example"}) {
    INFO(host);
    world.host = host;
    world.browser.cookies.clear();
    CHECK(world.ask("/").status == 400);
  }
}

TEST_CASE("a state of another host of the proxy does not lead there") {
  World world(config());
  world.host = "evil.example";
  world.authorized = world.ask("/").location;
  world.host = "shop.example";
  CHECK(world.ask(world.callback()).details == "oauth_state_unknown");
}

TEST_CASE("only listed domains are led to, where some are listed") {
  World world(
      config(", allowed_redirect_domains: [Shop.example, '*.shops.example'], original_request_uri: "
             "'https://%REQ(x-forwarded-host)%'"));
  const auto begun = [&](const char* host, const char* forwarded) {
    world.host = host;
    const Answer answer = world.ask("/a", {{"x-forwarded-host", forwarded}});
    world.authorized = answer.location;
    return answer.status;
  };
  CHECK(begun("shop.example", "shop.example:8443") == 302);
  CHECK(world.ask(world.callback()).location == "https://shop.example:8443/a");
  world.browser.cookies.clear();
  CHECK(begun("shop.example", "a.shops.example") == 302);
  CHECK(begun("shop.example", "shops.example") == 400);
  CHECK(begun("shop.example", "evil.example") == 400);
  CHECK(begun("shop.example", "shop.example/x") == 400);
  CHECK(begun("shop.example", "") == 400);
  CHECK(begun("evil.example", "shop.example") == 400);
}

TEST_CASE("the proxy says at the token endpoint who it is in each way") {
  const auto requestOf = [](const std::string& auth, const std::string& secret) {
    World world;
    world.secrets.texts["token"] = secret;
    world.use(config(", auth_type: " + auth));
    world.logIn();
    REQUIRE(world.requests.size() == 1);
    return world.requests[0];
  };
  const filter::HttpCallRequest basic = requestOf("BASIC_AUTH", "s:+ c");
  CHECK(valuesOf(basic.headers, "authorization") == "Basic c2hvcCsxOnMlM0ElMkIrYw==");  // shop+1:s%3A%2B+c
  CHECK_FALSE(http::queryParameterOf("?" + basic.body, "client_secret"));
  const filter::HttpCallRequest tls = requestOf("TLS_CLIENT_AUTH", "unused");
  CHECK(parameterOf("?" + tls.body, "client_id") == "shop 1");
  CHECK_THAT(tls.body, !Catch::Contains("unused"));
}

TEST_CASE("the proxy says by a signed assertion who it is") {
  World world;
  world.secrets.texts["token"] = kPrivateKey;
  world.use(config(kSigned));
  world.logIn();
  REQUIRE(world.requests.size() == 1);
  const std::string form = "?" + world.requests[0].body;
  CHECK(parameterOf(form, "client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
  auto parsed = jwt::parse(parameterOf(form, "client_assertion"));
  auto* const token = std::get_if<jwt::Token>(&parsed);
  REQUIRE(token != nullptr);
  CHECK(token->issuer == "shop 1");
  CHECK(token->subject == "shop 1");
  CHECK(token->audiences == std::vector<std::string>{kTokenUri});
  CHECK(token->expires == kNow + 30);
  CHECK_FALSE(token->id.empty());
  std::vector<std::string> skipped;
  std::string error;
  const auto keys = jwt::KeySet::parse(
      R"({"keys":[{"kty":"EC","crv":"P-256","x":"z3ozuatFjtFj54KkdziLocnGsZ04kGVYld3gWoVv9s0","y":"Q5UnG3mBjKPqQy0MAEhUCkXziRZPWvoUeTNvSa6-_tU"}]})",
      skipped, error);
  REQUIRE(keys != nullptr);
  size_t tries = 1;
  CHECK(jwt::verify(*token, *keys, tries) == jwt::Failure::kNone);
}

TEST_CASE("assertions are signed by other threads, and few wait for that") {
  World world;
  world.secrets.texts["token"] = kPrivateKey;
  world.use(config(kSigned));
  world.authorized = world.ask("/").location;
  {
    Harness gone({world.filter});
    world.start(gone, world.callback());
    CHECK(world.pool->waiting() == 1);
  }
  CHECK(world.pool->waiting() == 0);
  std::vector<std::unique_ptr<Harness>> waiting;
  for (size_t i = 0; i < kMaxSignatures + 1; ++i) {
    waiting.push_back(std::make_unique<Harness>(std::vector{world.filter}));
    world.start(*waiting.back(), world.callback());
  }
  CHECK(world.pool->waiting() == kMaxSignatures);
  CHECK(waiting.back()->client.status == 503);
  CHECK(waiting.back()->stream.info().response_code_details == "oauth_signing_overflow");
  world.settle();
  for (size_t i = 0; i < kMaxSignatures; ++i) CHECK(waiting[i]->calls.sent.size() == 1);
}

TEST_CASE("sessions are renewed by a signed assertion, too") {
  World world;
  world.secrets.texts["token"] = kPrivateKey;
  world.use(config(kSigned));
  world.logIn();
  world.pass(std::chrono::seconds(60));
  world.provider = [](const auto&) { return answerOf(tokensOf("new", "", "r2")); };
  CHECK(world.ask("/").went_on);
  const std::string form = "?" + world.requests.back().body;
  CHECK(parameterOf(form, "grant_type") == "refresh_token");
  CHECK_FALSE(parameterOf(form, "client_assertion").empty());
}

TEST_CASE("a secret that signs nothing is not the user's fault") {
  for (const char* algorithm : {"RS256", "ES256"}) {
    World world(config(
        absl::StrCat(", auth_type: PRIVATE_KEY_JWT, private_key_jwt_config: {signing_algorithm: ", algorithm, "}")));
    const Answer answer = world.logIn();
    CHECK(answer.status == 503);
    CHECK(answer.details == "oauth_client_key_unusable");
  }
}

TEST_CASE("a call to the token endpoint that failed is tried again as the policy says") {
  World world(config(", retry_policy: {num_retries: 1}"));
  world.authorized = world.ask("/").location;
  Harness h({world.filter});
  world.start(h, world.callback());
  REQUIRE(h.calls.waiting() == 1);
  h.calls.answer({.status = 503});
  REQUIRE(h.calls.waiting() == 1);
  REQUIRE(h.calls.isTimer(0));
  h.calls.expire();
  REQUIRE(h.calls.sent.size() == 2);
  h.calls.answer({.status = 0, .failure = "reset"});
  CHECK(h.client.status == 503);
}

TEST_CASE("a browser that holds back Strict cookies is led by a page of this site") {
  World world(config(", cookie_configs: {oauth_hmac_cookie_config: {same_site: STRICT}}"));
  const Answer answer = world.logIn("/page?a=1&b=%22");
  CHECK(answer.status == 200);
  CHECK(answer.location.empty());
  CHECK_THAT(answer.body, Catch::Contains("content=\"0; url=https://shop.example/page?a=1&amp;b=%22\""));
}

}  // namespace
}  // namespace sluice::extensions::http_filters::oauth2
