#include <catch2/catch.hpp>

#include "source/extensions/filters/http/ext_authz/test_guarded.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::ext_authz {
namespace {

TEST_CASE("the service is asked with method, host, path and authorization, and no other header") {
  Guarded h(basic());
  h.stream.request().path = "/doc?a=1";
  h.request("POST", {{"authorization", "secret"}, {"cookie", "c"}, {"content-length", "4"}}, false);

  REQUIRE(h.calls.waiting() == 1);
  const filter::HttpCallRequest& asked = h.calls.request();
  CHECK(asked.cluster == "authz");
  CHECK(asked.method == "POST");
  CHECK(asked.path == "/check/doc?a=1");
  CHECK(asked.authority == "a.example");
  CHECK(asked.headers == Fields{{"authorization", "secret"}});
  CHECK(asked.body.empty());
  CHECK(asked.timeout == std::chrono::milliseconds(250));
  CHECK(h.terminal.heads == 0);
}

TEST_CASE("about a CONNECT the service is asked by a GET, for it is not to be the tunnel") {
  Settings s = basic();
  s.allowed_headers = prefix("x-");
  s.path_prefix = GENERATE("", "/check");
  const std::string path = s.path_prefix.empty() ? "/" : s.path_prefix;  // CONNECT has none of its own
  Guarded h(std::move(s));
  h.request("CONNECT", {{"x-forwarded-method", "GET"}}, false);
  REQUIRE(h.calls.waiting() == 1);
  CHECK(h.calls.request().method == "GET");
  CHECK(h.calls.request().path == path);
  CHECK(h.calls.request().authority == "a.example");
  CHECK(h.calls.request().headers == Fields{{"x-forwarded-method", "CONNECT"}});
}

TEST_CASE("allowed headers go to the service, disallowed ones never, fixed ones over the client's") {
  Settings s = basic();
  s.allowed_headers = prefix("x-");
  s.disallowed_headers = names({"x-secret", "authorization"});
  s.headers_to_add.add.push_back(
      {.name = "x-key", .value = "ours", .action = route::HeaderAddition::Action::kOverwriteIfExistsOrAdd});
  Guarded h(std::move(s));
  h.request("GET", {{"x-a", "1"}, {"X-Secret", "2"}, {"x-secret", "3"}, {"x-key", "theirs"}, {"authorization", "4"}},
            true);
  CHECK_FALSE(has(h.calls.request().headers, "x-secret"));
  CHECK_FALSE(has(h.calls.request().headers, "authorization"));
  CHECK(has(h.calls.request().headers, "x-a"));
  for (const auto& [name, value] : h.calls.request().headers) {
    if (name == "x-key") CHECK(value == "ours");
  }
}

TEST_CASE("a 200 lets the request go on with the headers that the service may set, in the client's place") {
  Settings s = basic();
  s.upstream_headers = names({"x-user"});
  s.upstream_headers_to_append = names({"x-groups"});
  Guarded h(std::move(s));
  h.request("POST", {{"x-user", "admin"}, {"x-user", "root"}, {"x-groups", "a"}, {"x-other", "mine"}}, false);
  h.runner->requestData("body", true);
  CHECK(h.terminal.heads == 0);
  h.calls.answer(answer(200, {{"x-user", "ada"}, {"x-groups", "b"}, {"x-other", "theirs"}}));

  CHECK(h.terminal.headers == Fields{{"x-groups", "a,b"}, {"x-other", "mine"}, {"x-user", "ada"}});
  CHECK(h.terminal.body == "body");
  CHECK(h.ok() == 1);
  h.respond(200, {}, true);
  CHECK(h.client.status == 200);
}

TEST_CASE("identity that the service may set is taken from the client also when the service does not set it") {
  Settings s = basic();
  s.upstream_headers = names({"x-user", "authorization"});
  Guarded h(std::move(s));
  h.request("GET", {{"x-user", "admin"}, {"authorization", "forged"}, {"accept", "*/*"}}, true);
  h.calls.answer(answer(200));
  CHECK(h.terminal.headers == Fields{{"accept", "*/*"}});
}

TEST_CASE("identity is taken from the client also when a failure lets the request through") {
  Settings s = basic();
  s.upstream_headers = names({"x-user"});
  s.failure_mode_allow = s.failure_mode_allow_header_add = true;
  Guarded h(std::move(s));
  h.request("GET", {{"x-user", "admin"}}, true);
  h.calls.answer(failure("timeout"));
  CHECK(h.terminal.headers == Fields{{"x-envoy-auth-failure-mode-allowed", "true"}});
  CHECK(h.errors() == 1);
  CHECK(h.failureModeAllowed() == 1);
}

TEST_CASE("a client cannot claim that a failure let it through") {
  Settings s = basic();
  s.failure_mode_allow = s.failure_mode_allow_header_add = true;
  Guarded h(std::move(s));
  h.request("GET", {{"x-envoy-auth-failure-mode-allowed", "true"}}, true);
  h.calls.answer(answer(200));
  CHECK(h.terminal.headers.empty());
}

TEST_CASE("a wide pattern spares ordinary headers but not authorization, and framing always") {
  Settings s = basic();
  s.upstream_headers = prefix("");  // everything
  Guarded h(std::move(s));
  h.request("POST", {{"content-length", "1"}, {"cookie", "c"}, {"authorization", "x"}, {"x-user", "admin"}}, false);
  h.calls.answer(answer(200, {{"content-length", "0"}, {"transfer-encoding", "chunked"}, {"x-user", "ada"}}));
  CHECK(h.terminal.headers == Fields{{"content-length", "1"}, {"cookie", "c"}, {"x-user", "ada"}});
}

TEST_CASE("with Envoy's defaults only what the service sets is replaced") {
  Settings s = basic();
  s.upstream_headers = names({"x-user", "x-role"});
  s.strip_identity = false;
  Guarded h(std::move(s));
  h.request("GET", {{"x-user", "admin"}, {"x-role", "any"}}, true);
  h.calls.answer(answer(200, {{"x-user", "ada"}, {"x-user", "eva"}}));
  CHECK(h.terminal.headers == Fields{{"x-role", "any"}, {"x-user", "ada"}, {"x-user", "eva"}});
}

TEST_CASE("the service may name headers to take off the request, framing excepted") {
  Guarded h(basic());
  h.request("POST", {{"x-a", "1"}, {"x-b", "2"}, {"content-length", "0"}}, false);
  h.calls.answer(answer(200, {{"x-envoy-auth-headers-to-remove", " X-A ,, content-length"}}));
  CHECK(h.terminal.headers == Fields{{"x-b", "2"}, {"content-length", "0"}});
}

TEST_CASE("headers for the client go onto the response of an allowed request") {
  Settings s = basic();
  s.client_headers_on_success = names({"x-quota"});
  Guarded h(std::move(s));
  h.request("GET", {}, true);
  h.calls.answer(answer(200, {{"x-quota", "7"}, {"x-inner", "1"}}));
  h.respond(200, {}, true);
  CHECK(h.client.headers == Fields{{"x-quota", "7"}});
}

TEST_CASE("a refusal is the answer of the service with the headers that the client may see") {
  const Fields headers{{"www-authenticate", "Basic"}, {"x-why", "w"}, {"x-inner", "1"}, {"content-length", "99"}};
  SECTION("all of them where none is named") {
    Guarded h(basic());
    h.request("GET", {}, true);
    h.calls.answer(answer(401, headers, "who are you?"));
    CHECK(h.client.status == 401);
    CHECK(h.client.body == "who are you?");
    CHECK(h.client.headers == Fields{{"content-length", "12"},
                                     {"www-authenticate", "Basic"},
                                     {"x-why", "w"},
                                     {"x-inner", "1"},
                                     {"content-type", "text/plain"}});
    CHECK(h.denied() == 1);
    CHECK(h.flagged());
    CHECK(h.stream.info().response_code_details == "ext_authz_denied");
    CHECK(h.terminal.heads == 0);
  }
  SECTION("those named, and those that make sense of the status") {
    Settings s = basic();
    s.client_headers = names({"x-why"});
    Guarded h(std::move(s));
    h.request("GET", {}, true);
    h.calls.answer(answer(401, headers));
    CHECK(has(h.client.headers, "www-authenticate"));
    CHECK(has(h.client.headers, "x-why"));
    CHECK_FALSE(has(h.client.headers, "x-inner"));
  }
}

TEST_CASE("a long refusal is cut where the configuration says so") {
  Settings s = basic();
  s.max_denied_body = GENERATE(0u, 3u, 100u);
  const std::string expected = s.max_denied_body == 3 ? "who" : "who are you?";
  Guarded h(std::move(s));
  h.request("GET", {}, true);
  h.calls.answer(answer(401, {}, "who are you?"));
  CHECK(h.client.body == expected);
}

TEST_CASE("headers of permissions and refusals become dynamic metadata where they are named") {
  const uint16_t status = GENERATE(uint16_t{200}, uint16_t{401});
  Settings s = basic();
  s.metadata_headers = names({"x-user"});
  Guarded h(std::move(s));
  h.request("GET", {}, true);
  h.calls.answer(answer(status, {{"x-user", "ada"}, {"x-other", "1"}}));
  const auto& metadata = h.stream.info().metadata();
  const auto* user = metadata.find("envoy.filters.http.ext_authz", {"x-user"});
  REQUIRE(user != nullptr);
  CHECK(std::get<std::string>(user->value) == "ada");
  CHECK(metadata.find("envoy.filters.http.ext_authz", {"x-other"}) == nullptr);
}

TEST_CASE("an HTTP service changes no headers of the request that the rules protect") {
  const bool strict = GENERATE(false, true);
  Settings s = basic();
  s.upstream_headers = prefix("x-");
  s.rules = {.disallow_is_error = strict};
  Guarded h(std::move(s));
  h.request("GET", {{"x-envoy-b", "2"}}, true);
  h.calls.answer(answer(200, {{"x-envoy-a", "1"}, {"x-user", "ada"}, {"x-envoy-auth-headers-to-remove", "x-envoy-b"}}));
  if (strict) {
    CHECK(h.client.status == 500);
    CHECK(h.stream.info().response_code_details == "ext_authz_invalid");
    CHECK(h.terminal.heads == 0);
  } else {
    CHECK_FALSE(has(h.terminal.headers, "x-envoy-a"));
    CHECK(has(h.terminal.headers, "x-user"));
  }
}

TEST_CASE("an HTTP service that removes what the rules protect makes an error of it, if they say so") {
  const bool strict = GENERATE(false, true);
  Settings s = basic();
  s.rules = {.disallow_is_error = strict};
  Guarded h(std::move(s));
  h.request("GET", {{"x-envoy-b", "2"}}, true);
  h.calls.answer(answer(200, {{"x-envoy-auth-headers-to-remove", "x-user, X-Envoy-B"}}));
  CHECK(h.client.status == (strict ? 500 : 0));
  CHECK(h.terminal.heads == (strict ? 0 : 1));
}

TEST_CASE("a service that fails refuses, with the configured status") {
  for (const HttpCallResponse& response :
       {answer(500), answer(503), failure("timeout"), failure("connect_failed"), failure("no_cluster")}) {
    Settings s = basic();
    s.status_on_error = 503;
    Guarded h(std::move(s));
    h.request("GET", {}, true);
    h.calls.answer(response);
    CHECK(h.client.status == 503);
    CHECK(h.stream.info().response_code_details == "ext_authz_error");
    CHECK(h.flagged());
    CHECK(h.errors() == 1);
  }
}

TEST_CASE("an answer that cannot be read is never taken for a failure that is allowed") {
  for (const std::string_view why : {"protocol_error", "response_too_large"}) {
    Settings s = basic();
    s.failure_mode_allow = true;
    Guarded h(std::move(s));
    h.request("GET", {}, true);
    h.calls.answer(failure(why));
    CHECK(h.client.status == 403);
    CHECK(h.failureModeAllowed() == 0);
  }
}

TEST_CASE("the body goes to the service and on to the upstream") {
  Settings s = basic();
  s.body = BodySettings{4, false};
  Guarded h(std::move(s));
  h.request("POST", {}, false);
  h.runner->requestData("12", false);
  CHECK(h.calls.waiting() == 0);
  h.runner->requestData("34", true);
  REQUIRE(h.calls.waiting() == 1);
  CHECK(h.calls.request().body == "1234");
  CHECK(h.calls.request().headers == Fields{{"x-envoy-auth-partial-body", "false"}});
  h.calls.answer(answer(200));
  CHECK(h.terminal.body == "1234");
  CHECK(h.terminal.complete);
}

TEST_CASE("a request that asks for a tunnel has no body: it is asked about at once") {
  Settings s = basic();
  s.body = BodySettings{4, false};
  Guarded h(std::move(s));
  h.stream.request().upgrade = "websocket";
  h.request("GET", {}, false);
  REQUIRE(h.calls.waiting() == 1);
  CHECK(h.calls.request().body.empty());
  CHECK(h.terminal.heads == 0);
  h.calls.answer(answer(200));
  CHECK(h.terminal.heads == 1);
}

TEST_CASE("a body above the limit is answered 413, or its beginning is sent") {
  SECTION("answered") {
    Settings s = basic();
    s.body = BodySettings{4, false};
    Guarded h(std::move(s));
    h.request("POST", {}, false);
    h.runner->requestData("12345", true);
    CHECK(h.client.status == 413);
    CHECK(h.calls.sent.empty());
  }
  SECTION("sent in part") {
    Settings s = basic();
    s.body = BodySettings{4, true};
    Guarded h(std::move(s));
    h.request("POST", {}, false);
    h.runner->requestData("123456", false);
    REQUIRE(h.calls.waiting() == 1);
    CHECK(h.calls.request().body == "1234");
    CHECK(h.calls.request().headers == Fields{{"x-envoy-auth-partial-body", "true"}});
    h.runner->requestData("78", true);
    h.calls.answer(answer(200));
    CHECK(h.terminal.body == "12345678");
  }
}

TEST_CASE("a route may switch it off, or change what the service sees of bodies") {
  Settings with_body = basic();
  with_body.body = BodySettings{4, false};
  SECTION("off") {
    auto route = std::make_shared<RouteSettings>();
    route->skip = true;
    Guarded h(std::move(with_body), route);
    h.request("GET", {}, true);
    CHECK(h.terminal.complete);
    CHECK(h.disabled() == 1);
  }
  SECTION("no body") {
    auto route = std::make_shared<RouteSettings>();
    route->no_body = true;
    Guarded h(std::move(with_body), route);
    h.request("POST", {}, false);
    CHECK(h.calls.waiting() == 1);
  }
  SECTION("another limit") {
    auto route = std::make_shared<RouteSettings>();
    route->body = BodySettings{6, false};
    Guarded h(std::move(with_body), route);
    h.request("POST", {}, false);
    h.runner->requestData("123456", true);
    CHECK(h.calls.request().body == "123456");
  }
}

TEST_CASE("a stream that ends while the service thinks cancels the question") {
  auto h = std::make_unique<Guarded>(basic());
  h->request("GET", {}, true);
  h->runner->end();
  h->runner.reset();
  CHECK(h->calls.waiting() == 0);
}

TEST_CASE("it passes the interleaving suite") {
  const bool with_body = GENERATE(false, true);
  const bool partial = GENERATE(false, true);
  const bool allow = GENERATE(false, true);
  filter::testing::Suite suite;
  suite.max_runs = 5000;
  suite.chain = [&] {
    Settings s = basic();
    if (with_body) s.body = BodySettings{partial ? 1u : 100u, partial};
    s.failure_mode_allow = allow;
    s.client_headers_on_success = names({"x-quota"});
    return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{std::make_shared<FilterFactory>(std::move(s))};
  };
  suite.answer = [](const filter::HttpCallRequest&) { return answer(200, {{"x-quota", "1"}}); };
  suite.bad_answers = {answer(403, {}, "no"), answer(503), failure("reset"), failure("protocol_error")};
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::ext_authz
