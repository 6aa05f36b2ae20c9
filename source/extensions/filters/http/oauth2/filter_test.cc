#include "source/extensions/filters/http/oauth2/filter.h"

#include <catch2/catch.hpp>

#include "source/extensions/filters/http/oauth2/test_site.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::oauth2 {
namespace {

using namespace testing;  // NOLINT: the site of these tests

TEST_CASE("a browser is led to the provider, and back to its page with a session") {
  World world(config(", forward_bearer_token: true, resources: [r1]"));

  const Answer begin = world.ask("/page?a=1", {{"accept", "text/html"}, {"sec-fetch-mode", "navigate"}});

  REQUIRE(begin.status == 302);
  CHECK(begin.details == "oauth_login_begins");
  CHECK_THAT(begin.location,
             Catch::StartsWith(
                 "https://idp.example/auth?a=b&response_type=code&client_id=shop%201&scope=openid&resource=r1&"));
  CHECK(parameterOf(begin.location, "redirect_uri") == "https://shop.example/callback");
  CHECK(parameterOf(begin.location, "code_challenge_method") == "S256");
  CHECK(parameterOf(begin.location, "code_challenge").size() == 43);
  CHECK(parameterOf(begin.location, "nonce").size() == 43);
  CHECK(valuesOf(begin.headers, "cache-control") == "no-store");
  CHECK(world.counts["oauth_unauthorized_rq"] == 1);

  world.authorized = begin.location;
  const Answer end = world.ask(world.callback());

  CHECK(end.status == 302);
  CHECK(end.details == "oauth_logged_in");
  CHECK(end.location == "https://shop.example/page?a=1");
  REQUIRE(world.requests.size() == 1);
  const filter::HttpCallRequest& request = world.requests[0];
  CHECK(request.cluster == "idp");
  CHECK(request.method == "POST");
  CHECK(request.authority == "idp.example");
  CHECK(request.path == "/token");
  const std::string form = "?" + request.body;
  CHECK(parameterOf(form, "grant_type") == "authorization_code");
  CHECK(parameterOf(form, "code") == "c");
  CHECK(parameterOf(form, "redirect_uri") == "https://shop.example/callback");
  CHECK(parameterOf(form, "client_id") == "shop 1");
  CHECK(parameterOf(form, "client_secret") == "s+cret");
  CHECK(hashText(parameterOf(form, "code_verifier")) == parameterOf(begin.location, "code_challenge"));

  const Answer page = world.ask("/page?a=1", {{"x-other", "1"}});

  CHECK(page.went_on);
  CHECK(valuesOf(page.upstream, "authorization") == "Bearer access");
  CHECK(valuesOf(page.upstream, "cookie").empty());
  CHECK_THAT(page.identity,
             Catch::Contains(R"("method":"oauth2","subject":"u")") && Catch::Contains("https://idp.example"));
  CHECK(world.counts["oauth_success"] == 2);
  CHECK(world.counts["oauth_failure"] == 0);
}

TEST_CASE("cookies are for this site's servers alone, and tell nothing") {
  World world(config());
  world.logIn();

  for (const std::string& field : world.browser.fields) {
    CHECK_THAT(field, Catch::Contains("; HttpOnly") && Catch::Contains("; Secure") && Catch::Contains("; Path=/") &&
                          Catch::Contains("; SameSite=Lax") && !Catch::Contains("Domain="));
    CHECK_THAT(field, !Catch::Contains("access") && !Catch::Contains(idToken("").substr(0, 20)));
  }
  CHECK(world.browser.count("OauthNonce.") == 1);  // the row
  CHECK(world.browser.count("CodeVerifier") == 0);
  for (const char* name : {"BearerToken", "OauthHMAC", "OauthExpires", "IdToken", "RefreshToken"}) {
    CHECK(world.browser.find(name) != nullptr);
  }
}

TEST_CASE("cookies are Secure where clients see the site by https, whatever the connection is") {
  const auto secure = [](const std::string& scheme, const std::string& more) {
    World world(config(more));
    world.scheme = scheme;
    world.logIn();
    REQUIRE_FALSE(world.browser.fields.empty());
    const auto count = std::count_if(world.browser.fields.begin(), world.browser.fields.end(),
                                     [](const auto& field) { return field.find("; Secure") != std::string::npos; });
    return count == 0 ? "none" : static_cast<size_t>(count) == world.browser.fields.size() ? "all" : "some";
  };
  CHECK(secure("https", "") == std::string("all"));
  CHECK(secure("http", "") == std::string("none"));
  // Behind a proxy that takes off TLS.
  CHECK(secure("http", ", original_request_uri: 'https://%REQ(:authority)%'") == std::string("all"));
}

TEST_CASE("cookies are as the configuration says") {
  World world(
      config(", cookie_configs: {bearer_token_cookie_config: {same_site: NONE, path: /app, partitioned: true}, "
             "oauth_hmac_cookie_config: {}}",
             "[openid]", ", cookie_names: {bearer_token: __Secure-b, id_token: i}, cookie_domain: shop.example"));
  world.logIn();

  const auto fieldOf = [&](std::string_view name) {
    for (const std::string& field : world.browser.fields) {
      if (field.starts_with(std::string(name) + "=")) return field;
    }
    return std::string();
  };
  CHECK_THAT(fieldOf("__Secure-b"),
             Catch::EndsWith("; Path=/app; Domain=shop.example; Secure; SameSite=None; Partitioned; HttpOnly"));
  CHECK_THAT(fieldOf("i"), Catch::Contains("SameSite=Lax"));
  CHECK_THAT(fieldOf("OauthHMAC"), !Catch::Contains("SameSite"));
  world.host = "a.shop.example";
  CHECK(world.ask("/").went_on);
}

TEST_CASE("callers that show no pages get 401") {
  World world(config(", deny_redirect_matcher: [{name: ':path', string_match: {prefix: /api}}]"));
  const auto answered = [&](const Fields& fields, const std::string& path = "/", std::string_view method = "GET") {
    const Answer answer = world.ask(path, fields, method);
    CHECK(valuesOf(answer.headers, "set-cookie").empty());
    return std::to_string(answer.status) + " " + answer.details;
  };
  const std::string refused = "401 oauth_session_missing";
  CHECK(answered({{"x-requested-with", "XMLHttpRequest"}}) == refused);
  CHECK(answered({{"sec-fetch-mode", "cors"}, {"accept", "text/html"}}) == refused);
  CHECK(answered({{"accept", "application/json"}}) == refused);
  CHECK(answered({{"accept", "*/*"}}) == refused);
  CHECK(answered({{"upgrade", "websocket"}}) == refused);
  CHECK(answered({}, "/", "POST") == refused);
  CHECK(answered({}, "/", "HEAD") == refused);
  CHECK(answered({{"accept", "text/html"}}, "/api/x") == refused);
  CHECK(world.counts["oauth_unauthorized_rq"] == 8);
  CHECK(valuesOf(world.ask("/api").headers, "www-authenticate") == "Bearer");
  const Answer grpc = world.ask("/a.B/C", {{"content-type", "application/grpc"}}, "POST");
  CHECK(valuesOf(grpc.headers, "grpc-status") == "16");
}

TEST_CASE("a request without a path is refused") {
  World world(config());
  CHECK(world.ask("", {}, "CONNECT").status == 400);
}

TEST_CASE("what passes through loses only cookies and what hosts would believe") {
  World world(
      config(", pass_through_matcher: [{name: x-pass, present_match: true}], forward_id_token: {header: x-id}"));
  world.browser.cookies = {
      {"a", "1"}, {"BearerToken", "x"}, {"BearerToken.1", "y"}, {"OauthNonce.abc", "z"}, {"b", "2"}};

  const Answer answer = world.ask("/", {{"x-pass", "1"},
                                        {"authorization", "Bearer own"},
                                        {"x-id", "forged"},
                                        {"x_id", "forged"},
                                        {"x-envoy-oauth-status", "fine"}});

  CHECK(answer.went_on);
  CHECK(valuesOf(answer.upstream, "cookie") == "a=1; b=2");
  CHECK(valuesOf(answer.upstream, "authorization") == "Bearer own");
  CHECK(valuesOf(answer.upstream, "x-id").empty());
  CHECK(valuesOf(answer.upstream, "x_id").empty());
  CHECK(valuesOf(answer.upstream, "x-envoy-oauth-status").empty());
  CHECK(answer.identity.empty());
  CHECK(world.counts["oauth_passthrough"] == 1);
}

TEST_CASE("what may fail goes on as nobody's") {
  World world(config(", allow_failed_matcher: [{name: ':path', string_match: {prefix: /open}}]"));
  world.browser.cookies = {{"OauthHMAC", "forged"}, {"OauthExpires", "99999999999"}};

  const Answer answer = world.ask("/open", {{"authorization", "Bearer forged"}});

  CHECK(answer.went_on);
  CHECK(valuesOf(answer.upstream, "authorization").empty());
  CHECK(valuesOf(answer.upstream, "x-envoy-oauth-status") == "failed");
  CHECK(valuesOf(answer.upstream, "x-envoy-oauth-failure-reason") == "oauth_session_invalid");
  CHECK(answer.identity.empty());
}

TEST_CASE("what a client sends as authorization goes on only if it is to be kept") {
  World removed(config());
  removed.logIn();
  CHECK(valuesOf(removed.ask("/", {{"authorization", "x"}}).upstream, "authorization").empty());
  World kept(config(", preserve_authorization_header: true, forward_id_token: {header: X-Id}"));
  kept.logIn();
  const Answer answer = kept.ask("/", {{"authorization", "x"}});
  CHECK(valuesOf(answer.upstream, "authorization") == "x");
  CHECK(valuesOf(answer.upstream, "x-id") == idToken(parameterOf(kept.authorized, "nonce")));
}

TEST_CASE("a session is refused when any part of it is of another") {
  World world(config());
  world.logIn();
  const auto genuine = world.browser.cookies;
  for (const char* name : {"BearerToken", "OauthHMAC", "OauthExpires", "IdToken", "RefreshToken"}) {
    INFO(name);
    world.browser.cookies = genuine;
    std::string& value = *world.browser.find(name);
    value[0] = value[0] == 'A' ? 'B' : value[0] == '1' ? '9' : 'A';
    CHECK_FALSE(world.ask("/").went_on);
    world.browser.cookies = genuine;
    std::erase_if(world.browser.cookies, [&](const auto& cookie) { return cookie.first == name; });
    CHECK_FALSE(world.ask("/").went_on);
  }
  world.browser.cookies = genuine;
  std::swap(*world.browser.find("BearerToken"), *world.browser.find("IdToken"));
  CHECK_FALSE(world.ask("/").went_on);
  world.browser.cookies = genuine;
  world.host = "other.example";
  CHECK_FALSE(world.ask("/").went_on);
  world.host = "shop.example";
  CHECK(world.ask("/").went_on);
  // Of another client at the same provider.
  world.route =
      world.compileRoute("{config: " + config("", "[openid]", "").replace(config().find("shop 1"), 6, "other") + "}");
  REQUIRE(world.route != nullptr);
  CHECK_FALSE(world.ask("/").went_on);
}

TEST_CASE("without encryption tokens can be read, but not changed") {
  World world(config(", disable_token_encryption: true, forward_bearer_token: true"));
  world.provider = [&](const auto&) {
    return filter::HttpCallResponse{.status = 200,
                                    .body = tokensOf("a*b;c,d", idToken(parameterOf(world.authorized, "nonce")))};
  };
  world.logIn();
  CHECK(*world.browser.find("BearerToken") == "a%2Ab%3Bc%2Cd");
  CHECK(valuesOf(world.ask("/").upstream, "authorization") == "Bearer a*b;c,d");
  *world.browser.find("BearerToken") = "other";
  CHECK_FALSE(world.ask("/").went_on);
}

TEST_CASE("tokens of 16 KiB stand in several cookies, of which none is left over") {
  World world(config(", forward_bearer_token: true"));
  const std::string large(16 * 1024, 'x');
  world.provider = [&](const auto&) {
    return filter::HttpCallResponse{.status = 200,
                                    .body = tokensOf(large, idToken(parameterOf(world.authorized, "nonce")), "r")};
  };
  world.logIn();
  CHECK(world.browser.count("BearerToken") == 6);
  const Answer answer = world.ask("/");
  CHECK(valuesOf(answer.upstream, "authorization") == "Bearer " + large);
  CHECK(valuesOf(answer.upstream, "cookie").empty());

  world.provider = [&](const auto&) {
    return filter::HttpCallResponse{.status = 200, .body = tokensOf("small", "", "r")};
  };
  world.pass(std::chrono::seconds(60));
  CHECK(valuesOf(world.ask("/").upstream, "authorization") == "Bearer small");
  CHECK(world.browser.count("BearerToken") == 1);
}

TEST_CASE("a session that no request could carry is none") {
  World world(config());
  world.provider = [&](const auto&) {
    const std::string large(31 * 1024, 'x');
    return filter::HttpCallResponse{.status = 200,
                                    .body = tokensOf(large, idToken(parameterOf(world.authorized, "nonce")), large)};
  };
  const Answer answer = world.logIn();
  CHECK(answer.status == 401);
  CHECK(answer.details == "oauth_session_too_large");
  CHECK(world.browser.count("BearerToken") == 0);
}

TEST_CASE("tokens are kept out of cookies where that is said") {
  World world(
      config(", disable_id_token_set_cookie: true, disable_access_token_set_cookie: true, "
             "disable_refresh_token_set_cookie: true"));
  world.logIn();
  CHECK(world.browser.count("IdToken") + world.browser.count("BearerToken") + world.browser.count("RefreshToken") == 0);
  const Answer answer = world.ask("/");
  CHECK(answer.went_on);
  CHECK(answer.identity == R"({"method":"oauth2"})");
  world.pass(std::chrono::seconds(60));
  CHECK(world.ask("/").status == 302);
}

TEST_CASE("a provider that does not say how long a token counts is believed for as long as configured") {
  World world(config(", default_expires_in: 120s, use_refresh_token: false"));
  world.provider = [&](const auto&) {
    return filter::HttpCallResponse{.status = 200,
                                    .body = tokensOf("a", idToken(parameterOf(world.authorized, "nonce")), "r", "")};
  };
  world.logIn();
  world.pass(std::chrono::seconds(119));
  CHECK(world.ask("/").went_on);
  world.pass(std::chrono::seconds(1));
  CHECK(world.ask("/").details == "oauth_login_begins");
}

TEST_CASE("signing out takes all cookies, and ends the provider's session") {
  World world(config(", end_session_endpoint: 'https://idp.example/end?x=1'"));
  world.logIn();

  const Answer answer = world.ask("/signout");

  CHECK(answer.status == 302);
  CHECK_THAT(answer.location, Catch::StartsWith("https://idp.example/end?x=1&client_id=shop%201&"));
  CHECK(parameterOf(answer.location, "id_token_hint") == idToken(parameterOf(world.authorized, "nonce")));
  CHECK(parameterOf(answer.location, "post_logout_redirect_uri") == "https://shop.example/");
  CHECK(world.browser.cookies.empty());
}

TEST_CASE("after signing out a browser is led where the configuration says") {
  World plain(config());
  CHECK(plain.ask("/signout").location == "https://shop.example/");
  const std::string end = ", end_session_endpoint: 'https://idp.example/end', post_logout_redirect_uri: ";
  World named(config(end + "{uri: 'https://%REQ(:authority)%/bye'}"));
  CHECK(parameterOf(named.ask("/signout").location, "post_logout_redirect_uri") == "https://shop.example/bye");
  World untold(config(end + "{disabled: true}"));
  CHECK_FALSE(http::queryParameterOf(untold.ask("/signout").location, "post_logout_redirect_uri"));
}

TEST_CASE("only routes may ask for a login, each of its own provider") {
  World world;
  world.filter = world.compile("{}");
  REQUIRE(world.filter != nullptr);
  CHECK(world.ask("/").went_on);
  world.route = world.compileRoute("{config: " + config() + "}");
  INFO(world.problems());
  REQUIRE(world.route != nullptr);
  world.logIn();
  CHECK(world.ask("/").went_on);
  CHECK(world.counts["oauth_success"] == 2);
}

TEST_CASE("without its secret a site lets nobody in") {
  World world;
  world.secrets.texts["hmac"] = "too short";
  world.use(config());
  CHECK(world.ask("/").status == 503);
  CHECK(world.ask("/").details == "oauth_secret_missing");
}

TEST_CASE("a prefix is one of the stats") {
  World world;
  world.filter = world.compile(filterOf(config(", stat_prefix: shop")));
  REQUIRE(world.filter != nullptr);
  Harness h({world.filter});
  world.start(h, "/");
  CHECK(world.counted(h, "shop.oauth_unauthorized_rq") == 1);
}

TEST_CASE("it passes the interleaving suite with a session, and at the end of a login") {
  const std::string more =
      ", original_request_uri: 'http://a.example', cookie_configs: {bearer_token_cookie_config: {same_site: STRICT}}";
  World world(config(more));
  const Sealer sealer(kHmacSecret, joined({"shop 1", kTokenUri}));
  CookieRules rules;
  const char* const names[] = {"BearerToken",  "OauthHMAC",  "OauthExpires", "IdToken",
                               "RefreshToken", "OauthNonce", "CodeVerifier"};
  for (size_t i = 0; i < kCookieKinds; ++i) rules.of[i].name = names[i];
  base::Arena arena;
  const http::HeaderList none(arena);
  const CookieJar jar(rules, none);
  CookieWriter cookies(rules, jar, true);
  Browser browser;
  const auto take = [&] {
    Fields fields;
    for (const std::string& field : cookies.take()) fields.emplace_back("set-cookie", field);
    browser.take(fields);
  };
  REQUIRE(writeSession({.access_token = "a", .expires = 99'999'999'999}, std::chrono::hours(1), {sealer, "a.example"},
                       cookies));
  take();
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{world.filter}; };
  suite.request.headers = {{"cookie", browser.header()}};
  suite.max_runs = 5000;
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");

  Login login = Login::begin("https://a.example/callback", "http://a.example/");
  writeLogin(login, {std::chrono::seconds(99'999'999'999), std::chrono::seconds(99'999'999'999)},
             {sealer, "a.example", 0}, jar, cookies);
  browser.cookies.clear();
  take();
  suite.request.headers = {{"cookie", browser.header()}};
  suite.request.method = "GET";
  suite.request.path = "/callback?code=c&state=" + stateOf(login, sealer);
  suite.answers_itself = true;
  suite.response_due = [](std::string_view) { return htmlLeadingTo("http://a.example/"); };
  suite.response_trailers_due = 0;
  suite.bad_answers = {{.status = 500}, {.status = 200, .body = "{"}, {.failure = "reset"}};
  suite.answer = [&](const filter::HttpCallRequest&) {
    return filter::HttpCallResponse{.status = 200,
                                    .body = tokensOf("a", idToken(login.tokenNonce(), "", 99'999'999'999))};
  };
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");

  World signing;
  signing.secrets.texts["token"] = kPrivateKey;
  signing.use(config(kSigned + more));
  suite.chain = [&] { return std::vector{signing.filter}; };
  suite.pool = signing.pool.get();
  suite.max_runs = 1000;
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::oauth2
