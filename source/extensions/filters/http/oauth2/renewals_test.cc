// Sessions whose tokens have ended.
#include "source/extensions/filters/http/oauth2/renewals.h"

#include <catch2/catch.hpp>

#include "source/extensions/filters/http/oauth2/test_site.h"

namespace sluice::extensions::http_filters::oauth2 {
namespace {

using namespace testing;  // NOLINT: the site of these tests
using std::chrono::seconds;

// With a session whose access token has ended.
struct Expired : World {
  explicit Expired(const std::string& more = "") : World(config(", forward_bearer_token: true" + more)) {
    logIn();
    pass(seconds(60));
    requests.clear();
    provider = [](const auto&) { return filter::HttpCallResponse{.status = 200, .body = tokensOf("new", "", "r2")}; };
  }
};

TEST_CASE("a session is renewed on its way, and its browser gets the new one") {
  Expired world;

  const Answer answer = world.ask("/page");

  CHECK(answer.went_on);
  CHECK(valuesOf(answer.upstream, "authorization") == "Bearer new");
  CHECK_THAT(answer.identity, Catch::Contains(R"("subject":"u")"));
  CHECK(valuesOf(answer.headers, "cache-control") == "no-store");
  REQUIRE(world.requests.size() == 1);
  CHECK(parameterOf("?" + world.requests[0].body, "grant_type") == "refresh_token");
  CHECK(parameterOf("?" + world.requests[0].body, "refresh_token") == "refresh");
  CHECK(world.counts["oauth_refreshtoken_success"] == 1);
  CHECK(world.ask("/page").went_on);
  CHECK(world.requests.size() == 1);
  world.pass(seconds(60));
  CHECK(world.ask("/page").went_on);
  CHECK(parameterOf("?" + world.requests.at(1).body, "refresh_token") == "r2");
}

TEST_CASE("callers that show no pages have their sessions renewed, too") {
  Expired world(", deny_redirect_matcher: [{name: ':path', string_match: {prefix: /api}}]");
  CHECK(world.ask("/api", {}, "POST").went_on);
}

TEST_CASE("one refresh token is used once, however many requests need it") {
  Expired world;
  std::vector<std::unique_ptr<Harness>> waiting;
  for (int i = 0; i < 30; ++i) {
    waiting.push_back(std::make_unique<Harness>(std::vector{world.filter}));
    world.start(*waiting.back(), "/");
  }
  waiting.pop_back();  // somebody goes
  world.settle();
  CHECK(world.server.sent.size() == 1);
  const Browser before = world.browser;

  world.answerAll(world.server);
  world.settle();

  for (const auto& h : waiting) {
    CHECK(h->terminal.heads == 1);
    CHECK(world.end(*h).went_on);
    CHECK(world.browser.count("BearerToken") == 1);
  }
  CHECK(world.counts["oauth_refreshtoken_success"] == 1);
  // One that was sent before the browser had its new cookies.
  world.browser = before;
  CHECK(world.ask("/").went_on);
  CHECK(world.server.sent.size() == 1);
  world.browser = before;
  world.pass(Renewals::kKept);
  CHECK(world.ask("/").went_on);
  CHECK(world.server.sent.size() == 2);
}

TEST_CASE("configurations with the same sessions renew them together") {
  Expired world;
  Harness page({world.filter});
  world.start(page, "/");
  // Of another configuration of the same client: a route, or the next generation.
  world.route =
      world.compileRoute("{config: " + config(", deny_redirect_matcher: [{name: x, present_match: true}]") + "}");
  INFO(world.problems());
  REQUIRE(world.route != nullptr);
  Harness call({world.filter}, {world.route});
  world.start(call, "/api");
  world.settle();
  CHECK(world.server.sent.size() == 1);
  world.answerAll(world.server);
  world.settle();
  CHECK(world.end(page).went_on);
  CHECK(world.end(call).went_on);
  CHECK(world.counts["oauth_refreshtoken_success"] == 1);
}

TEST_CASE("what cannot be renewed leads to a login") {
  Expired world;
  world.provider = [](const auto&) {
    return filter::HttpCallResponse{.status = 400, .body = R"({"error":"invalid_grant"})"};
  };
  const Answer page = world.ask("/page"), call = world.ask("/api", {{"x-requested-with", "x"}});
  CHECK(page.details == "oauth_login_begins");
  CHECK(call.status == 401);
  CHECK(call.details == "oauth_grant_refused");
  CHECK(world.requests.size() == 1);  // it is not asked twice
  CHECK(world.counts["oauth_refreshtoken_failure"] == 1);
}

TEST_CASE("a provider that is away is asked again by the next request") {
  Expired world(", retry_policy: {num_retries: 1, retry_back_off: {base_interval: 1s}}");
  world.provider = [](const auto&) { return filter::HttpCallResponse{.status = 0, .failure = "connect_failed"}; };
  Harness h({world.filter});
  world.start(h, "/", {{"x-requested-with", "x"}});
  world.settle();
  world.answerAll(world.server);
  world.settle();
  CHECK(h.client.heads == 0);
  world.pass(seconds(1));
  world.answerAll(world.server);
  world.settle();
  CHECK(h.client.status == 401);
  CHECK(world.requests.size() == 2);
  world.provider = [](const auto&) {
    return filter::HttpCallResponse{.status = 200, .body = tokensOf("new", "", "r2")};
  };
  CHECK(world.ask("/").went_on);
}

TEST_CASE("a request does not wait for ever") {
  Expired world;
  Harness h({world.filter});
  world.start(h, "/");
  REQUIRE(h.calls.waiting() == 1);
  h.calls.expire();
  CHECK(h.client.status == 302);
  CHECK(world.end(h).details == "oauth_login_begins");
  world.answerAll(world.server);
  world.settle();
}

TEST_CASE("a renewed session is of the same user") {
  const auto renewed = [](const std::string& id_token) {
    Expired world;
    world.provider = [&](const auto&) {
      return filter::HttpCallResponse{.status = 200, .body = tokensOf("new", id_token)};
    };
    const Answer answer = world.ask("/", {{"x-requested-with", "x"}});
    return answer.went_on ? "went on" : answer.details;
  };
  const auto of = [](const std::string& iss, const std::string& sub) {
    return jwt::testing::token(
        "HS256", absl::StrCat(R"({"iss":")", iss, R"(","sub":")", sub, R"(","aud":"shop 1","exp":1000900})"));
  };
  CHECK(renewed(of("https://idp.example", "v")) == "oauth_id_token_of_another");
  CHECK(renewed(of("https://evil.example", "u")) == "oauth_id_token_of_another");
  CHECK(renewed("x") == "oauth_id_token_malformed");
  CHECK(renewed(of("https://idp.example", "u")) == "went on");
}

TEST_CASE("a session is renewed for as long as it may be") {
  World world(config(", default_refresh_token_expires_in: 300s"));
  world.logIn();
  for (const char* name : {"OauthHMAC", "OauthExpires", "RefreshToken"}) {
    const auto field = std::find_if(world.browser.fields.begin(), world.browser.fields.end(),
                                    [&](const std::string& one) { return one.starts_with(std::string(name) + "="); });
    REQUIRE(field != world.browser.fields.end());
    CHECK_THAT(*field, Catch::Contains("Max-Age=300;"));
  }
  // Whoever still has them: 300 s behind the end of the access token it is over.
  const Browser kept = world.browser;
  world.provider = [](const auto&) { return filter::HttpCallResponse{.status = 200, .body = tokensOf("new", "")}; };
  world.pass(seconds(60 + 299));
  CHECK(world.ask("/").went_on);
  world.browser = kept;
  world.pass(seconds(1));
  CHECK(world.ask("/").details == "oauth_login_begins");
}

TEST_CASE("without use_refresh_token an ended session is over") {
  Expired world(", use_refresh_token: false");
  CHECK(world.ask("/").details == "oauth_login_begins");
  CHECK(world.requests.empty());
}

}  // namespace
}  // namespace sluice::extensions::http_filters::oauth2
