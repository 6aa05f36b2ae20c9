#include "source/extensions/filters/http/jwt_authn/filter.h"

#include <catch2/catch.hpp>

#include "source/extensions/filters/http/jwt_authn/test_site.h"
#include "source/route/filter_slots.h"
#include "source/route/test_request.h"
#include "test/support/files/scratch_folder.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::jwt_authn {
namespace {

using namespace testing;  // NOLINT: the site of these tests

const std::string kForm = "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections";

// --- answers ---------------------------------------------------------------------------------------------------------

TEST_CASE("a good token goes on, without itself") {
  World world(providers() + kNeedsP);

  const Answer answer = world.ask({bearer(token()), {"x-other", "1"}});

  CHECK(answer.status == 200);
  CHECK(valuesOf(answer.upstream, "authorization").empty());
  CHECK(valuesOf(answer.upstream, "x-other") == "1");
  CHECK(world.counts["allowed"] == 1);
  CHECK(world.counts["denied"] == 0);
}

TEST_CASE("with forward it stays") {
  World world(providers(", forward: true") + kNeedsP);
  CHECK(valuesOf(world.askWith(token()).upstream, "authorization") == "Bearer " + token());
}

TEST_CASE("a request without a token is told where to show one, without its query") {
  World world(providers() + kNeedsP);

  const Answer answer = world.ask({}, "/a?secret=1");

  CHECK(answer.status == 401);
  CHECK(answer.body == "Jwt is missing");
  CHECK(answer.details == "jwt_authn_access_denied{Jwt_is_missing}");
  CHECK(valuesOf(answer.headers, "www-authenticate") == "Bearer realm=\"https://shop.example/a\"");
  CHECK(world.counts["denied"] == 1);
}

TEST_CASE("nothing that a client sends gets out of the quotes of the realm") {
  World world(providers() + kNeedsP);
  CHECK(valuesOf(world.ask({}, "/a\"b\\c").headers, "www-authenticate") == "Bearer realm=\"https://shop.example/abc\"");
}

TEST_CASE("answers say nothing if they are not to") {
  World world(providers() + kNeedsP + "strip_failure_response: true\n");

  const Answer answer = world.askWith("x");

  CHECK(answer.status == 401);
  CHECK(answer.body.empty());
  CHECK(valuesOf(answer.headers, "www-authenticate").empty());
  CHECK(answer.details.starts_with("jwt_authn_access_denied{Jwt_is_not_in_the_form"));
}

TEST_CASE("each failure has its answer") {
  World world(providers(", audiences: [shop], subjects: {prefix: u}, max_lifetime: 3600s") + kNeedsP);
  const std::string exp = R"("exp":1000100,"aud":"shop","sub":"u")";
  struct Case {
    std::string token, text;
    int status = 401;
  };
  const std::vector<Case> cases = {
      {token(exp), "", 200},
      {"a.b", kForm},
      {forged() + "=", kForm},
      {forged(), "Jwt verification fails"},
      {token(exp, "b"), "Jwks doesn't have key to match kid or alg from Jwt"},
      {token(exp, "a", "you"), "Jwt issuer is not configured"},
      {token(R"("exp":999900,"aud":"shop","sub":"u")"), "Jwt is expired"},
      {token(exp + R"(,"nbf":1000100)"), "Jwt not yet valid"},
      {token(R"("exp":1000100,"aud":["a","b"],"sub":"u")"), "Audiences in Jwt are not allowed", 403},
      {token(R"("exp":1000100,"sub":"u")"), "Audiences in Jwt are not allowed", 403},
      {token(R"("exp":1000100,"aud":"shop","sub":"v")"), "Jwt verification fails"},
      {token(R"("exp":1003700,"aud":"shop","sub":"u")"), "Jwt verification fails"},
      {token(R"("aud":"shop","sub":"u")"), "Jwt verification fails"},
      {jwt::testing::signedText(R"({"alg":"none"})", R"({"iss":"me"})") + ".", "Jwt header [alg] is not supported"},
  };
  for (const Case& item : cases) {
    INFO(item.token << " " << item.text);
    const Answer answer = world.askWith(item.token);
    CHECK(answer.status == item.status);
    CHECK(answer.body == item.text);
    if (item.status == 200) continue;
    CHECK(valuesOf(answer.headers, "www-authenticate") ==
          "Bearer realm=\"https://shop.example/\", error=\"invalid_token\"");
  }
}

TEST_CASE("clocks may differ by a minute, or by as much as is said") {
  World minute(providers() + kNeedsP);
  CHECK(minute.askWith(token(R"("exp":999940)")).status == 200);
  CHECK(minute.askWith(token(R"("exp":999939)")).status == 401);
  CHECK(minute.askWith(token(R"("nbf":1000060)")).status == 200);
  CHECK(minute.askWith(token(R"("nbf":1000061)")).status == 401);
  World second(providers(", clock_skew_seconds: 1") + kNeedsP);
  CHECK(second.askWith(token(R"("exp":999998)")).status == 401);
}

TEST_CASE("a token has to end if that is required") {
  World world(providers(", require_expiration: true") + kNeedsP);
  CHECK(world.askWith(token()).status == 401);
  CHECK(world.askWith(token(R"("exp":1000001)")).status == 200);
}

TEST_CASE("audiences are the same with and without a scheme and a slash, and a requirement may have its own") {
  World world(providers(", audiences: ['https://a.example/']") +
              rule("provider_and_audiences: {provider_name: p, audiences: [b]}", "prefix: /b") +
              "requirement_map: {r: {provider_name: p}}\n");
  CHECK(world.ask({bearer(token(R"("aud":"b")"))}, "/b").status == 200);
  CHECK(world.ask({bearer(token(R"("aud":"a.example")"))}, "/b").status == 403);
  // What is remembered of a token does not hold for another requirement.
  world.route = world.compileRoute("requirement_name: r");
  CHECK(world.ask({bearer(token(R"("aud":"b")"))}, "/b").status == 403);
  CHECK(world.ask({bearer(token(R"("aud":"http://a.example")"))}, "/b").status == 200);
}

// --- which requirement -----------------------------------------------------------------------------------------------

TEST_CASE("the first rule that matches says what is required; one without a requirement lets through") {
  World world(providers() + "requirement_map: {named: {provider_name: p}}\n" +
              "rules: [{match: {path: /open}}, {match: {prefix: /a}, requirement_name: named}, "
              "{match: {safe_regex: {regex: '/b.*'}}, requires: {provider_name: p}}, "
              "{match: {prefix: /C, case_sensitive: false, headers: [{name: x, present_match: true}]}, requires: "
              "{provider_name: p}}, {match: {prefix: /d}, requires: {}}, {match: {connect_matcher: {}}, requires: "
              "{provider_name: p}}]\n");
  CHECK(world.ask({}, "/open").status == 200);
  CHECK(world.ask({}, "/elsewhere").status == 200);
  CHECK(world.ask({}, "/a?x=1").status == 401);
  CHECK(world.ask({bearer(token())}, "/a").status == 200);
  CHECK(world.ask({}, "/bc").status == 401);
  CHECK(world.ask({}, "/c").status == 200);
  CHECK(world.ask({{"x", "1"}}, "/c").status == 401);
  CHECK(world.ask({}, "/d").status == 200);
  CHECK(world.ask({}, "", "CONNECT").status == 401);
}

TEST_CASE("a route has its own requirement, or none") {
  World world(providers() + kNeedsP + "requirement_map: {free: {}, other: {provider_name: p}}\n");
  world.route = world.compileRoute("disabled: true");
  CHECK(world.ask({}).status == 200);
  world.route = world.compileRoute("requirement_name: free");
  CHECK(world.ask({}).status == 200);
  world.route = world.compileRoute("requirement_name: other");
  CHECK(world.ask({}).status == 401);
}

TEST_CASE("a route's requirement that is not there lets nobody through") {
  World world(providers() + "requirement_map: {a: {}, b: {}}\n");
  world.route = world.compileRoute("requirement_name: c");

  const Answer answer = world.askWith(token());

  CHECK(answer.status == 403);
  CHECK(answer.body == "Failed JWT authentication: Wrong requirement_name: c. It should be one of [a,b]");
  CHECK(answer.details == "jwt_authn_access_denied{Wrong_requirement_name:_c._It_should_be_one_of_[a,b]}");
}

TEST_CASE("a text in the filter state chooses where no rule does") {
  World world(providers() + "filter_state_rules: {name: who, requires: {staff: {provider_name: p}}}\n");
  const auto ask = [&](const char* text) {
    Harness h({world.filter});
    if (text != nullptr) h.stream.info().filterState().set("who", text);
    world.start(h, {});
    return world.end(h).status;
  };
  CHECK(ask("staff") == 401);
  CHECK(ask("guest") == 200);
  CHECK(ask(nullptr) == 200);
}

TEST_CASE("browsers may ask for leave without a token") {
  World world(providers() + kNeedsP + "bypass_cors_preflight: true\n");
  const Fields preflight{{"origin", "https://a"}, {"access-control-request-method", "PUT"}};
  CHECK(world.ask(preflight, "/", "OPTIONS").status == 200);
  CHECK(world.counts["cors_preflight_bypassed"] == 1);
  CHECK(world.ask(preflight, "/", "GET").status == 401);
  CHECK(world.ask({{"origin", "https://a"}}, "/", "OPTIONS").status == 401);
}

// --- several tokens --------------------------------------------------------------------------------------------------

TEST_CASE("each token that is there has to be good (A1)") {
  World world(providers(", forward: true") + kNeedsP);
  CHECK(world.ask({bearer(token()), bearer(token(R"("sub":"v")"))}).status == 200);
  CHECK(world.ask({bearer(token()), bearer(forged())}).status == 401);
  CHECK(world.ask({bearer(forged()), bearer(token())}).status == 401);
  CHECK(world.ask({bearer(token())}, "/?access_token=" + forged()).status == 401);
  CHECK(world.ask({bearer(token())}, "/?access_token=" + token() + "&access_token=x").status == 401);
  CHECK(world.ask({bearer(token())}, "/?access%5Ftoken=" + forged()).status == 401);
}

TEST_CASE("of several tokens of a provider the first speaks") {
  World world(providers(", claim_to_headers: [{header_name: x-user, claim_name: sub}], payload_in_metadata: c") +
              kNeedsP);

  const Answer answer = world.ask({bearer(token(R"("sub":"v")")), bearer(token())});

  CHECK(valuesOf(answer.upstream, "x-user") == "v");
  CHECK(answer.metadata.find("\"u\"") == std::string::npos);
}

TEST_CASE("missing is allowed, failed is not (A1)") {
  World world("providers: {" + provider() + ", " + provider(", from_headers: [{name: x-t}]", "q", "you") + "}\n" +
              rule("requires_any: {requirements: [{allow_missing: {}}, {provider_name: p}]}"));
  CHECK(world.ask({}).status == 200);
  CHECK(world.askWith(token()).status == 200);
  CHECK(world.askWith(forged()).status == 401);
  CHECK(world.askWith(token(R"("sub":"u")", "a", "stranger")).status == 401);
  CHECK(world.askWith("x").status == 401);
  // As a scheme's name in other letters, or behind another one: servers may take it for a token.
  CHECK(world.ask({{"authorization", "bearer " + forged()}}).status == 401);
  CHECK(world.ask({{"authorization", "Basic x, Bearer " + forged()}}).status == 401);
  CHECK(world.ask({{"authorization", "Bearer\t" + forged()}}).status == 401);
  CHECK(world.ask({{"authorization", "Basic x"}}).status == 200);
  // Where only others have their tokens.
  CHECK(world.ask({{"x-t", "x"}}).status == 200);
}

TEST_CASE("missing alone is of all providers, each of which takes its own") {
  World world("providers: {" + provider(", from_headers: [{name: x-t}]") + ", " +
              provider(", from_headers: [{name: x-t}]", "q", "you") + "}\n" + rule("allow_missing: {}"));
  CHECK(world.ask({}).status == 200);
  CHECK(world.ask({{"x-t", token()}}).status == 200);
  CHECK(world.ask({{"x-t", token(R"("sub":"u")", "a", "you")}, {"x-t", token()}}).status == 200);
  CHECK(world.ask({{"x-t", token()}, {"x-t", forged()}}).status == 401);
  // To many servers it is the same header.
  CHECK(world.ask({{"x-t", token()}, {"x_t", forged()}}).status == 401);
  CHECK(world.ask({{"x_t", token()}}).upstream.empty());
  CHECK(world.ask({{"x-t", token(R"("sub":"u")", "a", "they")}}).status == 401);
}

TEST_CASE("failed may be allowed; then only what is good says something, and the rest stays") {
  World world(providers(", claim_to_headers: [{header_name: x-user, claim_name: sub}]") +
              rule("allow_missing_or_failed: {}"));
  const Answer good = world.ask({bearer(token()), {"x-user", "admin"}});
  CHECK(valuesOf(good.upstream, "x-user") == "u");
  const Answer bad = world.ask({bearer(forged()), {"x-user", "admin"}});
  CHECK(bad.status == 200);
  CHECK(valuesOf(bad.upstream, "x-user").empty());
  CHECK(valuesOf(bad.upstream, "authorization") == "Bearer " + forged());
  CHECK(bad.metadata.find("sluice.identity") == std::string::npos);
  CHECK(world.ask({}).status == 200);
}

TEST_CASE("a request has so many signatures computed, however many tokens it has") {
  World world(providers(", claim_to_headers: [{header_name: x-user, claim_name: sub}]") +
              rule("allow_missing_or_failed: {}"));
  const auto user = [&](size_t bad) {
    const Fields fields(bad, bearer(forged()));
    return valuesOf(world.ask(fields, "/?access_token=" + token(absl::StrCat(R"("sub":")", bad, "\""))).upstream,
                    "x-user");
  };
  CHECK(user(jwt::kMaxTries - 1) == "63");
  CHECK(user(jwt::kMaxTries).empty());
}

TEST_CASE("any and all of several requirements") {
  const std::string both = "providers: {" + provider(", from_headers: [{name: x-p}]") + ", " +
                           provider(", from_headers: [{name: x-q}]", "q", "you") + "}\n";
  const std::string parts = "{requirements: [{provider_name: p}, {provider_name: q}]}";
  const std::pair<std::string, std::string> p{"x-p", token()}, q{"x-q", token(R"("sub":"w")", "a", "you")};

  World any(both + rule("requires_any: " + parts));
  CHECK(any.ask({p}).status == 200);
  CHECK(any.ask({q}).status == 200);
  CHECK(any.ask({{"x-p", "x"}, q}).status == 200);
  CHECK(any.ask({}).body == "Jwt is missing");
  CHECK(any.ask({{"x-q", forged()}}).body == "Jwt issuer is not configured");
  CHECK(any.ask({{"x-p", forged()}, {"x-q", forged()}}).body == "Jwt verification fails");

  World all(both + rule("requires_all: " + parts));
  CHECK(all.ask({p}).status == 401);
  CHECK(all.ask({q}).status == 401);
  const Answer answer = all.ask({p, q});
  CHECK(answer.status == 200);
  CHECK(valuesOf(answer.upstream, "x-p").empty());
  CHECK(valuesOf(answer.upstream, "x-q").empty());
}

TEST_CASE("what is extracted only goes on in any case, and is said not to be verified") {
  World world(providers(", claim_to_headers: [{header_name: x-user, claim_name: sub}]") +
              rule("extract_only_without_validation: {}"));
  const Answer forged_one = world.ask({bearer(forged()), {"x-jwt-signature-verified", "true"}});
  CHECK(forged_one.status == 200);
  CHECK(valuesOf(forged_one.upstream, "x-user") == "u");
  CHECK(valuesOf(forged_one.upstream, "x-jwt-signature-verified") == "false");
  CHECK(forged_one.metadata.find("sluice.identity") == std::string::npos);
  const Answer none = world.ask({{"x_jwt_signature_verified", "true"}, {"x-user", "admin"}});
  CHECK(none.status == 200);
  CHECK(valuesOf(none.upstream, "x-user").empty());
  CHECK(valuesOf(none.upstream, "x-jwt-signature-verified").empty());
  CHECK(valuesOf(none.upstream, "x_jwt_signature_verified").empty());
  CHECK(valuesOf(world.askWith("no.token").upstream, "x-jwt-signature-verified") == "false");
}

// --- where tokens are ------------------------------------------------------------------------------------------------

TEST_CASE("a parameter alone leaves the query") {
  World world(providers(", from_params: [t]") + kNeedsP);
  CHECK(world.ask({}, "/a?x=1&t=" + token() + "&y=%20").path == "/a?x=1&y=%20");
  CHECK(world.ask({}, "/a?t=" + token()).path == "/a");
  std::string escaped = token();
  escaped.replace(escaped.find('.'), 1, "%2E");
  CHECK(world.ask({}, "/a?%74=" + escaped).path == "/a");
  CHECK(world.ask({}, "/a?t=").status == 401);
  CHECK(world.askWith(token()).status == 401);
}

TEST_CASE("a cookie alone leaves the others") {
  World world(providers(", from_cookies: [t]") + kNeedsP);
  CHECK(valuesOf(world.ask({{"cookie", "a=1; t=" + token() + "; b=2"}}).upstream, "cookie") == "a=1; b=2");
  CHECK(valuesOf(world.ask({{"cookie", "t=\"" + token() + "\""}}).upstream, "cookie").empty());
  CHECK(world.ask({{"cookie", "t=" + token()}, {"cookie", "a=1; t=" + forged()}}).status == 401);
  CHECK(world.ask({{"cookie", "t2=" + token()}}).status == 401);
  // Many servers take it for the same cookie.
  CHECK(world.ask({{"cookie", "t=" + token() + "; t =" + forged()}}).status == 401);
}

TEST_CASE("a header may hold the token behind a prefix, or be it") {
  World world(providers(", from_headers: [{name: X-T}, {name: x-u, value_prefix: 'Token '}]") + kNeedsP);
  CHECK(world.ask({{"x-t", token()}}).status == 200);
  CHECK(world.ask({{"x-u", "Token   " + token()}}).status == 200);
  CHECK(world.ask({{"x-u", token()}}).body == "Jwt is missing");
  CHECK(world.ask({{"x-t", ""}}).body == kForm);
}

// --- what tokens leave -----------------------------------------------------------------------------------------------

TEST_CASE("claims become headers") {
  World world(providers(", claim_to_headers: ["
                        "{header_name: X-Text, claim_name: t}, {header_name: x-int, claim_name: i}, "
                        "{header_name: x-half, claim_name: h}, {header_name: x-bool, claim_name: b}, "
                        "{header_name: x-in, claim_name: o.p.q}, {header_name: x-list, claim_name: l}, "
                        "{header_name: x-dots, claim_path: [{key: 'https://a.b/c'}, {key: d}]}, "
                        "{header_name: x-none, claim_name: none}, {header_name: x-bad, claim_name: bad}]") +
              kNeedsP);

  const Fields got =
      world
          .askWith(token(R"("t":"a b","i":9007199254740991,"h":-1.5,"b":true,"o":{"p":{"q":"in"}},"l":["1","2"],)"
                         R"("https://a.b/c":{"d":"deep"},"bad":"x\r\ny: z")"))
          .upstream;

  CHECK(valuesOf(got, "x-text") == "a b");
  CHECK(valuesOf(got, "x-int") == "9007199254740991");
  CHECK(valuesOf(got, "x-half") == "-1.500000");
  CHECK(valuesOf(got, "x-bool") == "true");
  CHECK(valuesOf(got, "x-in") == "in");
  CHECK(valuesOf(got, "x-list") == "WyIxIiwiMiJd");
  CHECK(valuesOf(got, "x-dots") == "deep");
  CHECK(valuesOf(got, "x-none").empty());
  CHECK(valuesOf(got, "x-bad").empty());
}

TEST_CASE("the payload goes on as it stands in the token, padded if that is wanted") {
  const std::string good = token();
  const std::string payload = good.substr(good.find('.') + 1, good.rfind('.') - good.find('.') - 1);
  REQUIRE(payload.size() % 4 != 0);
  World plain(providers(", forward_payload_header: X-Payload") + kNeedsP);
  CHECK(valuesOf(plain.askWith(good).upstream, "x-payload") == payload);
  World padded(providers(", forward_payload_header: x-payload, pad_forward_payload_header: true") + kNeedsP);
  CHECK(valuesOf(padded.askWith(good).upstream, "x-payload") == payload + std::string(4 - payload.size() % 4, '='));
}

TEST_CASE("what tokens alone may say leaves each request, whatever is required of it (H3, H4)") {
  World world(
      providers(", forward_payload_header: x-payload, claim_to_headers: [{header_name: x-user, claim_name: s}]") +
      rule("requires_any: {requirements: [{provider_name: p}, {allow_missing: {}}]}", "prefix: /a") +
      "bypass_cors_preflight: true\n");
  const Fields spoofed{{"x-user", "admin"}, {"x-payload", "x"}, {"x_user", "admin"},
                       {"x.user", "admin"}, {"x-user", "root"}, {"x-users", "2"}};
  const auto left = [&](const Answer& answer) {
    CHECK(answer.status == 200);
    std::string names;
    for (const auto& [name, value] : answer.upstream) absl::StrAppend(&names, name, " ");
    return names;
  };
  CHECK(left(world.ask(spoofed, "/a")) == "x-users ");
  CHECK(left(world.ask(spoofed, "/elsewhere")) == "x-users ");
  Fields with_token = spoofed;
  with_token.push_back(bearer(token()));
  CHECK(left(world.ask(with_token, "/a")) == "x-users x-payload ");
  world.route = world.compileRoute("disabled: true");
  CHECK(left(world.ask(spoofed, "/a")) == "x-users ");
}

TEST_CASE("claims and the header become dynamic metadata, and say who asks") {
  World world(providers(", payload_in_metadata: claims, header_in_metadata: head, normalize_payload_in_metadata: "
                        "{space_delimited_claims: [scope]}") +
              kNeedsP);

  const std::string got = world.askWith(token(R"("sub":"u","scope":"a  b","groups":["x","y"])")).metadata;

  CHECK(got == R"({"envoy.filters.http.jwt_authn":{"head":{"alg":"HS256","kid":"a"},)"
               R"("claims":{"iss":"me","sub":"u","scope":["a","b"],"groups":["x","y"]}},)"
               R"("sluice.identity":{"method":"jwt","subject":"u","groups":["x","y"],)"
               R"("claims":{"iss":"me","sub":"u","scope":"a  b","groups":["x","y"]}}})");
}

TEST_CASE("why a token failed becomes dynamic metadata, also of what goes on") {
  World world("providers: {" + provider(", failed_status_in_metadata: why") + ", " + provider("", "q", "you") + "}\n" +
              rule("requires_any: {requirements: [{provider_name: p}, {provider_name: q}, {allow_missing: {}}]}"));
  const std::string missing = R"({"envoy.filters.http.jwt_authn":{"why":{"code":"1","message":"Jwt is missing"}}})";
  CHECK(world.ask({}).metadata == missing);
  CHECK(world.askWith(token(R"("exp":1)")).metadata.find(R"("why":{"code":"3","message":"Jwt is expired"})") !=
        std::string::npos);
}

// For users "u", and for all others.
std::shared_ptr<const route::Table> tableOfUsers(bool ignores_parameters = false) {
  route::TableSpec table;
  table.ignore_path_parameters = ignores_parameters;
  route::VirtualHostSpec& host = table.virtual_hosts.emplace_back();
  host.name = "v";
  host.domains = {"*"};
  for (const bool own : {true, false}) {
    route::RouteSpec& route = host.routes.emplace_back();
    route.path = "/";
    route.action = route::DirectResponseSpec{};
    if (!own) continue;
    match::HeaderMatcher user;
    user.kind = match::HeaderMatcher::Kind::kString;
    user.string.text = "u";
    user.setName("x-user");
    route.conditions.headers.push_back(std::move(user));
  }
  return *route::Table::build(std::move(table));
}

TEST_CASE("a good token may choose another route") {
  const auto chosen_anew = [](const std::string& more, const std::string& token) {
    World world(providers(", claim_to_headers: [{header_name: x-user, claim_name: sub}]" + more) + kNeedsP);
    const auto table = tableOfUsers();
    Harness h(filter::testing::entriesOf({world.filter}), table);
    world.start(h, {bearer(token)});
    return h.stream.route().route == &table->virtualHosts()[0].routes[0];
  };
  CHECK(chosen_anew(", clear_route_cache: true", token()));
  CHECK_FALSE(chosen_anew("", token()));
}

TEST_CASE("where routes do not regard parameters of paths, rules do not (P3)") {
  const auto status = [](bool ignored) {
    World world(providers() + rule("provider_name: p", "prefix: /a/b"));
    Harness h(filter::testing::entriesOf({world.filter}), tableOfUsers(ignored));
    world.start(h, {}, "/a;x=1/b");
    return world.end(h).status;
  };
  CHECK(status(false) == 200);
  CHECK(status(true) == 401);
}

// --- the cache -------------------------------------------------------------------------------------------------------

TEST_CASE("a token is verified once, as long as it is in its time") {
  World world(providers() + kNeedsP);
  const std::string short_lived = token(R"("exp":1000001)");
  CHECK(world.askWith(short_lived).status == 200);
  CHECK(world.askWith(short_lived).status == 200);
  CHECK(world.countedHere("jwt_cache_hit") == 1);
  CHECK(world.countedHere("jwt_cache_miss") == 1);

  Harness h({world.filter});
  h.stream.time += std::chrono::seconds(62);
  world.start(h, {bearer(short_lived)});

  CHECK(world.end(h).body == "Jwt is expired");
}

TEST_CASE("what was refused is not remembered, and a token with another beginning is another one") {
  World world(providers() + kNeedsP);
  CHECK(world.askWith(token()).status == 200);
  std::string other = token();
  other[3] = other[3] == 'a' ? 'b' : 'a';
  CHECK(world.askWith(other).status == 401);
  CHECK(world.askWith(other).status == 401);
  CHECK(world.countedHere("jwt_cache_hit") == 0);
}

// Asked twice: the second time the token is known.
void checkSameWhenKnown(const std::string& config, const Fields& fields, std::string_view path = "/") {
  INFO(config);
  World world(config);
  const Answer first = world.ask(fields, path);
  const int64_t hits = world.countedHere("jwt_cache_hit");

  const Answer second = world.ask(fields, path);

  CHECK(first.status == 200);
  CHECK(second.status == 200);
  CHECK(second.upstream == first.upstream);
  CHECK(second.path == first.path);
  CHECK(second.metadata == first.metadata);
  CHECK(world.counts["allowed"] == 2);
  CHECK(world.countedHere("jwt_cache_hit") > hits);
}

TEST_CASE("a token that is known leaves what it left when it was verified") {
  const std::string says =
      ", claim_to_headers: [{header_name: x-user, claim_name: sub}], payload_in_metadata: c, "
      "forward_payload_header: x-payload";
  const auto with = [&](const std::string& more) { return providers(says + more) + kNeedsP; };
  checkSameWhenKnown(with(""), {{"a", "1"}, bearer(token()), {"b", "2"}});
  checkSameWhenKnown(with(", forward: true"), {bearer(token())});
  checkSameWhenKnown(with(""), {bearer(token()), {"x-user", "admin"}, {"x_payload", "x"}});
  checkSameWhenKnown(with(""), {bearer(token()), {"authorization", "Basic x"}});
  checkSameWhenKnown(with(""), {{"authorization", "Basic x"}, bearer(token())});
  checkSameWhenKnown(with(""), {bearer(token()), bearer(token(R"("sub":"v")"))});
  checkSameWhenKnown(with(""), {}, "/a?x=1&access_token=" + token() + "&y=2");
  checkSameWhenKnown(with(", from_cookies: [t]"), {{"cookie", "a=1; t=" + token() + "; b=2"}});
  checkSameWhenKnown(with(", from_headers: [{name: x-t, value_prefix: 'A '}, {name: x-t, value_prefix: 'B '}]"),
                     {{"x-t", "B " + token()}, {"x-other", "1"}});
  checkSameWhenKnown(with(", from_headers: [{name: x-t}]"), {{"x_t", token()}, {"authorization", "Basic x"}});
  checkSameWhenKnown(providers(says) + rule("requires_any: {requirements: [{provider_name: p}, {allow_missing: {}}]}"),
                     {bearer(token())});
  checkSameWhenKnown(providers(says) + rule("allow_missing_or_failed: {}"), {bearer(token())});
}

TEST_CASE("beside a token that is known each other one has to be good, wherever it is (A1)") {
  World world(providers() + kNeedsP);
  REQUIRE(world.askWith(token()).status == 200);
  CHECK(world.ask({bearer(token()), bearer(forged())}).status == 401);
  CHECK(world.ask({bearer(forged()), bearer(token())}).status == 401);
  CHECK(world.ask({bearer(token())}, "/?access_token=" + forged()).status == 401);
  CHECK(world.ask({bearer(token())}, "/?access%5Ftoken=x").status == 401);
  CHECK(world.ask({{"authorization", "Bearer x, Bearer " + token()}}).status == 401);
  CHECK(world.ask({{"authorization", "bearer\t" + token()}}).status == 200);
  CHECK(world.askWith(token()).status == 200);
}

TEST_CASE("a token that is known is so for its provider and its audience alone") {
  World world(
      "providers: {" + provider() + ", " + provider("", "q", "you") + ", " + provider(", audiences: [shop]", "r") +
      "}\n" +
      "rules: [{match: {path: /p}, requires: {provider_name: p}}, {match: {path: /q}, requires: {provider_name: "
      "q}}, {match: {path: /r}, requires: {provider_name: r}}, {match: {path: /own}, requires: "
      "{provider_and_audiences: {provider_name: r, audiences: [desk]}}}, {match: {path: /all}, requires: "
      "{requires_all: {requirements: [{provider_name: p}, {provider_name: q}]}}}]\n");
  const std::string shop = token(R"("aud":"shop")"), desk = token(R"("aud":"desk")");
  const auto status = [&](const std::string& text, const char* path) { return world.ask({bearer(text)}, path).status; };
  for (int i = 0; i < 2; ++i) {
    CHECK(status(shop, "/p") == 200);
    CHECK(status(shop, "/q") == 401);
    CHECK(status(shop, "/r") == 200);
    CHECK(status(shop, "/own") == 403);
    CHECK(status(shop, "/all") == 401);
    CHECK(status(desk, "/p") == 200);
    CHECK(status(desk, "/own") == 200);
    CHECK(status(desk, "/r") == 403);
  }
}

TEST_CASE("a token that is known and has to end is asked for its end each time") {
  World world(providers(", require_expiration: true, clock_skew_seconds: 1, max_lifetime: 3600s") + kNeedsP);
  const std::string good = token(R"("exp":1000010)");
  const auto askAt = [&](int seconds) {
    Harness h({world.filter});
    h.stream.time += std::chrono::seconds(seconds);
    world.start(h, {bearer(good)});
    return world.end(h).status;
  };
  CHECK(askAt(0) == 200);
  CHECK(askAt(11) == 200);
  CHECK(world.countedHere("jwt_cache_hit") == 1);
  CHECK(askAt(12) == 401);
  CHECK(askAt(0) == 200);
  CHECK(world.countedHere("jwt_cache_miss") == 3);
}

TEST_CASE("a good token that is known may choose another route") {
  World world(providers(", claim_to_headers: [{header_name: x-user, claim_name: sub}], clear_route_cache: true") +
              kNeedsP);
  const auto table = tableOfUsers();
  for (const int hits : {0, 1}) {
    Harness h(filter::testing::entriesOf({world.filter}), table);
    world.start(h, {bearer(token())});
    CHECK(h.stream.route().route == &table->virtualHosts()[0].routes[0]);
    CHECK(world.countedHere("jwt_cache_hit") == hits);
  }
}

TEST_CASE("a cache has room for so many tokens of so many bytes") {
  World world(providers(", jwt_cache_config: {jwt_cache_size: 2, jwt_max_token_size: 200}") + kNeedsP);
  const std::string one = token(R"("sub":"1")"), two = token(R"("sub":"2")"), three = token(R"("sub":"3")");
  for (const std::string& item : {one, two, one, three, one}) CHECK(world.askWith(item).status == 200);
  CHECK(world.countedHere("jwt_cache_hit") == 2);
  CHECK(world.askWith(two).status == 200);
  CHECK(world.countedHere("jwt_cache_hit") == 2);
  const std::string large = token(absl::StrCat(R"("sub":")", std::string(200, 's'), "\""));
  world.askWith(large);
  world.askWith(large);
  CHECK(world.countedHere("jwt_cache_hit") == 2);
}

// --- configuration ---------------------------------------------------------------------------------------------------

TEST_CASE("keys of a file are read again when it changes, and stay when it cannot be read") {
  const test::ScratchFolder folder;
  const std::string path = folder.write("keys.json", goodKeys());
  World world("providers: {p: {issuer: me, local_jwks: {filename: " + path +
              ", watched_directory: {path: " + folder.path() + "}}}}\n" + kNeedsP);
  CHECK(world.askWith(token()).status == 200);

  folder.write("keys.json", "{");
  world.loop.turn(100);
  world.pass(std::chrono::seconds(1));
  CHECK(world.askWith(token()).status == 200);

  folder.write("keys.json", goodKeys("b"));
  CHECK(world.loop.until([&] {
    world.pass(std::chrono::milliseconds(100));
    return world.askWith(token("\"sub\":\"u\"", "b")).status == 200;
  }));
  // What was verified by other keys is not remembered.
  CHECK(world.askWith(token()).status == 401);
}

TEST_CASE("Envoy's files may have a provider without keys, whose tokens are refused") {
  World world;
  world.services.defaults = config::Defaults::kEnvoy;
  world.filter =
      world.compile("providers: {p: {issuer: me, local_jwks: {inline_string: '{}'}}}\nrules:\n" +
                    std::string("- {match: {prefix: /extract}, requires: {extract_only_without_validation: {}}}\n") +
                    "- {match: {prefix: /}, requires: {provider_name: p}}\n");
  REQUIRE(world.filter != nullptr);
  CHECK(world.problems() == "");
  REQUIRE(world.errors.warnings().size() == 1);
  CHECK(world.errors.warnings().front().toString().find("tokens of this provider are refused") != std::string::npos);
  CHECK(world.askWith(token()).status == 401);
  CHECK(world.ask({bearer(token())}, "/extract").status == 200);
}

TEST_CASE("what cannot work is refused where it stands") {
  const auto problems = [](const std::string& yaml) {
    World world;
    CHECK(world.compile(yaml) == nullptr);
    return world.problems();
  };
  const auto has = [&](const std::string& yaml, const std::string& text) {
    const std::string found = problems(yaml);
    INFO(found);
    CHECK(found.find(text) != std::string::npos);
  };
  has("providers: {p: {issuer: me}}", "jwks_source_specifier");
  has("providers: {p: {local_jwks: {inline_string: '{}'}}}", "local_jwks: holds no keys: ");
  has("providers: {p: {local_jwks: {inline_string: '{\"keys\": []}', watched_directory: {path: /}}}}",
      "watched_directory: is for a file");
  has(providers() + rule("provider_name: q"), "no provider is called 'q'");
  has(providers() + rule("provider_and_audiences: {provider_name: q}"), "no provider is called 'q'");
  has(providers() + "rules: [{match: {prefix: /}, requirement_name: r}]", "no requirement is called 'r'");
  has(providers() + "rules: [{requires: {provider_name: p}}]", "match");
  has(providers() + rule("requires_any: {requirements: [{provider_name: p}]}"), "requirements");
  has(providers() + rule("requires_any: {requirements: [{provider_name: p}, {}]}"), "requirements[1]: says nothing");
  has(providers(", claim_to_headers: [{header_name: a, claim_name: b, claim_path: [{key: b}]}]"), "needs one of");
  has(providers(", claim_to_headers: [{header_name: a}]"), "needs one of");
  has(providers(", claim_to_headers: [{header_name: content-length, claim_name: b}]"), "is no header that may be set");
  has(providers(", claim_to_headers: [{header_name: authorization, claim_name: b}]"), "has its tokens in the header");
  has(providers(", normalize_payload_in_metadata: {}"), "has no effect without payload_in_metadata");
  has(providers(", from_cookies: ['']"), "is empty");
  const auto remote = [](const std::string& uri, const std::string& more = "") {
    return "providers: {p: {remote_jwks: {http_uri: {uri: '" + uri + "', cluster: idp, timeout: 1s}" + more + "}}}";
  };
  has(remote("ftp://a/b"), "begins with no scheme");
  has(remote("https://me:pw@a/b"), "uri");
  has(remote("https:///b"), "names no host");
  has(remote("https://a/b", ", cache_duration: 0s"), "cache_duration");
  World other;
  other.services.cluster_exists = [](std::string_view) { return false; };
  CHECK(other.compile(remote("https://a/b")) == nullptr);
  CHECK(other.problems().find("no cluster is called 'idp'") != std::string::npos);
}

TEST_CASE("it passes the interleaving suite") {
  const auto suiteOf = [](World& world, const Fields& fields) {
    filter::testing::Suite suite;
    suite.chain = [&world] { return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{world.filter}; };
    suite.request.headers = fields;
    return suite;
  };
  World open(providers() + rule("requires_any: {requirements: [{provider_name: p}, {allow_missing: {}}]}"));
  World closed(providers(", claim_to_headers: [{header_name: x-user, claim_name: sub}], payload_in_metadata: c") +
               kNeedsP);

  REQUIRE(runInterleavings(suiteOf(open, {})) == "");
  REQUIRE(runOverCodecs(suiteOf(open, {})) == "");
  REQUIRE(runInterleavings(suiteOf(closed, {bearer(token())})) == "");
  REQUIRE(runOverCodecs(suiteOf(closed, {bearer(token())})) == "");
}

// --- bound to certificates ------------------------------------------------------------------------------------------

// SHA-256 of "k1" in both writings.
const std::string kShown = "6ab9f1eb8f7d3388f4f9d586f66e99fd54080df2c446f0e58668b09c08a16dd0";
const std::string kBound = "arnx6499M4j0-dWG9m6Z_VQIDfLERvDlhmiwnAihbdA";

std::string detailsWith(World& world, const std::string& cnf, const std::string& shown, bool over_tls = true) {
  route::TestTls transport;
  transport.told.peer_presented = !shown.empty();
  transport.told.peer.sha256 = shown;
  Harness h({world.filter});
  if (over_tls) h.stream.info().downstream_transport = &transport;
  world.start(h, {bearer(token(R"("sub":"u","cnf":)" + cnf))});
  const Answer answer = world.end(h);
  return answer.status == 200 ? "" : std::to_string(answer.status) + " " + answer.details;
}

TEST_CASE("a token that is bound to a certificate is good only on connections that have shown it") {
  World world(providers() + kNeedsP);
  const std::string cnf = R"({"x5t#S256":")" + kBound + "\"}";
  const std::string refused = "401 jwt_authn_access_denied{Jwt_is_bound_to_another_client_certificate}";

  CHECK(detailsWith(world, cnf, kShown).empty());
  CHECK(detailsWith(world, cnf, kShown).empty());  // out of the cache
  CHECK(detailsWith(world, cnf, std::string(64, '0')) == refused);
  CHECK(detailsWith(world, cnf, "") == refused);
  CHECK(detailsWith(world, cnf, kShown, false) == refused);
}

TEST_CASE("a binding that cannot be read is one to nothing") {
  World world(providers() + kNeedsP);
  for (const std::string value : {"1", "null", "\"\"", "\"AAAA\"", "[]"}) {
    INFO(value);
    CHECK_FALSE(detailsWith(world, R"({"x5t#S256":)" + value + "}", kShown).empty());
  }
  CHECK_FALSE(detailsWith(world, R"({"x5t#S256":")" + kBound + R"(="})", kShown).empty());
}

TEST_CASE("a token that is bound to something else, or to nothing, is good anywhere") {
  World world(providers() + kNeedsP);
  CHECK(detailsWith(world, "{}", "").empty());
  CHECK(detailsWith(world, R"({"kid":"x"})", "", false).empty());
}

}  // namespace
}  // namespace sluice::extensions::http_filters::jwt_authn
