// Configurations that are refused.
#include "source/extensions/filters/http/oauth2/factory.h"

#include <catch2/catch.hpp>

#include "source/extensions/filters/http/oauth2/test_site.h"

namespace sluice::extensions::http_filters::oauth2 {
namespace {

using namespace testing;  // NOLINT: the site of these tests

std::string problems(const std::string& config) {
  World world;
  CHECK(world.compile(filterOf(config)) == nullptr);
  return world.problems();
}
std::string replaced(std::string config, const std::string& what, const std::string& by) {
  REQUIRE(config.find(what) != std::string::npos);
  return config.replace(config.find(what), what.size(), by);
}

TEST_CASE("fields that cannot be are refused with the reason") {
  CHECK_THAT(problems(config(", forward_bearer_token: true, preserve_authorization_header: true")),
             Catch::Contains("config.preserve_authorization_header: cannot be"));
  CHECK_THAT(problems(config(", forward_bearer_token: true, disable_access_token_set_cookie: true")),
             Catch::Contains("config.forward_bearer_token: has no token"));
  CHECK_THAT(problems(config(", forward_id_token: {header: x}, disable_id_token_set_cookie: true")),
             Catch::Contains("config.forward_id_token: has no token"));
  CHECK_THAT(problems(config(", forward_id_token: {header: Authorization}")),
             Catch::Contains("forward_id_token.header"));
  CHECK_THAT(problems(config(", forward_id_token: {header: Host}")), Catch::Contains("forward_id_token.header"));
  CHECK_THAT(problems(config(", use_refresh_token: true, disable_refresh_token_set_cookie: true")),
             Catch::Contains("config.use_refresh_token: has no token"));
  CHECK_THAT(problems(config(", private_key_jwt_config: {}")), Catch::Contains("without auth_type: PRIVATE_KEY_JWT"));
  CHECK_THAT(problems(config(", post_logout_redirect_uri: {disabled: true}")),
             Catch::Contains("without end_session_endpoint"));
  CHECK_THAT(problems(config(", end_session_endpoint: /end")),
             Catch::Contains("config.end_session_endpoint: is no URL"));
  CHECK_THAT(problems(config(", default_expires_in: 0s")),
             Catch::Contains("config.default_expires_in: is less than a second"));
  CHECK_THAT(problems(config(", csrf_token_expires_in: 0.5s")), Catch::Contains("config.csrf_token_expires_in"));
  CHECK_THAT(problems(config(", allowed_redirect_domains: ['a.*.example']")),
             Catch::Contains("allowed_redirect_domains[0]: is no host"));
  CHECK_THAT(problems(config(", allowed_redirect_domains: ['https://a.example']")),
             Catch::Contains("allowed_redirect_domains[0]"));
  CHECK_THAT(problems(config(", allowed_redirect_domains: ['a.example:8443']")),
             Catch::Contains("allowed_redirect_domains[0]: is no host"));
  CHECK_THAT(problems(config(", original_request_uri: 'https://%REQ(%'")),
             Catch::Contains("config.original_request_uri"));
  CHECK_THAT(problems(config(", use_access_token_expiry_for_id_token_cookie: true")),
             Catch::Contains("use_access_token_expiry_for_id_token_cookie"));
  CHECK_THAT(problems(config(", pass_through_matcher: [{name: x, string_match: {safe_regex: {regex: '('}}}]")),
             Catch::Contains("config.pass_through_matcher[0]"));
}

TEST_CASE("endpoints have to be URLs that logins can add to") {
  CHECK_THAT(problems(replaced(config(), "https://idp.example/auth?a=b", "/auth")),
             Catch::Contains("config.authorization_endpoint: is no URL"));
  CHECK_THAT(problems(replaced(config(), "https://idp.example/auth?a=b", "https://idp.example/auth#x")),
             Catch::Contains("fragment"));
  CHECK_THAT(problems(replaced(config(), "a=b", "st%61te=b")), Catch::Contains("the parameter \"state\""));
  CHECK_THAT(problems(replaced(config(), kTokenUri, "idp.example/token")),
             Catch::Contains("config.token_endpoint.uri: is no URL"));
  CHECK_THAT(problems(replaced(config(), "timeout: 3s", "timeout: 0s")),
             Catch::Contains("config.token_endpoint.timeout: is 0"));
  const std::string whole = config();
  const size_t begin = whole.find("token_endpoint"), end = whole.find("authorization_endpoint");
  CHECK_THAT(problems(replaced(whole, whole.substr(begin, end - begin), "")),
             Catch::Contains("config.token_endpoint: is missing"));
}

TEST_CASE("cookies have to be told apart") {
  const auto named = [](const std::string& names, const std::string& more = "") {
    return problems(config(more, "[openid]", ", cookie_names: " + names));
  };
  CHECK_THAT(named("{bearer_token: IdToken}"), Catch::Contains("give each a name of its own"));
  CHECK_THAT(named("{bearer_token: IdToken.1}"), Catch::Contains("give each a name of its own"));
  CHECK_THAT(named("{bearer_token: 'a b'}"), Catch::Contains("cookie_names.bearer_token"));
  CHECK_THAT(named("{bearer_token: __Host-b}", ", cookie_configs: {bearer_token_cookie_config: {path: /a}}"),
             Catch::Contains("__Host-b"));
  CHECK_THAT(problems(config(", cookie_configs: {oauth_nonce_cookie_config: {same_site: STRICT}}")),
             Catch::Contains("cookie_configs.oauth_nonce_cookie_config.same_site: is STRICT"));
  CHECK_THAT(problems(config(", cookie_configs: {code_verifier_cookie_config: {same_site: STRICT}}")),
             Catch::Contains("is STRICT"));
  CHECK_THAT(problems(config(", cookie_configs: {id_token_cookie_config: {path: 'a;b'}}")), Catch::Contains("path"));
}

TEST_CASE("a route's stats are the filter's") {
  World world;
  CHECK(world.compileRoute("{config: " + config(", stat_prefix: x") + "}") == nullptr);
  CHECK_THAT(world.problems(), Catch::Contains("config.stat_prefix: has no effect here"));
  World empty;
  CHECK(empty.compileRoute("{}") == nullptr);
}

TEST_CASE("no error tells a secret") {
  World world;
  world.secrets.texts["token"] = "sesame";
  CHECK(world.compile(filterOf(config(", default_expires_in: 0s"))) == nullptr);
  CHECK_THAT(world.problems(), !Catch::Contains("sesame") && !Catch::Contains(kHmacSecret));
}

}  // namespace
}  // namespace sluice::extensions::http_filters::oauth2
