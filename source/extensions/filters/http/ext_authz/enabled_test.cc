// Which requests are asked about, what is done about the others, and requests that are only asked about.
#include <catch2/catch.hpp>

#include "source/extensions/filters/http/ext_authz/test_guarded.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::ext_authz {
namespace {

TEST_CASE("a share of the requests is asked about, the others go on and are counted") {
  const bool in = GENERATE(false, true);
  Settings s = basic();
  s.enabled.share = {30, 100};
  Guarded h(std::move(s));
  h.stream.next_random = in ? 29 : 30;
  h.request("GET", {}, true);
  CHECK(h.calls.waiting() == (in ? 1 : 0));
  CHECK(h.terminal.complete == !in);
  CHECK(h.counted({4}) == (in ? 0 : 1));
}

TEST_CASE("requests are asked about where filters in front left what is looked for") {
  Settings s = basic();
  match::MetadataMatcher matcher;
  matcher.filter = "rules";
  matcher.path = {"ask"};
  matcher.value.kind = match::MetadataValueMatcher::Kind::kBool;
  s.enabled.metadata = matcher;
  Guarded h(std::move(s));
  SECTION("nothing") {
    h.request("GET", {}, true);
    CHECK(h.calls.waiting() == 0);
    CHECK(h.terminal.complete);
  }
  SECTION("something else") {
    h.stream.info().metadata().set("rules", "ask", {false});
    h.request("GET", {}, true);
    CHECK(h.calls.waiting() == 0);
  }
  SECTION("that") {
    h.stream.info().metadata().set("rules", "ask", {true});
    h.request("GET", {}, true);
    CHECK(h.calls.waiting() == 1);
    CHECK(h.counted({4}) == 0);
  }
}

TEST_CASE("what is not asked about is refused if the configuration says so") {
  const bool shadow = GENERATE(false, true);
  Settings s = basic();
  s.enabled.share = {0, 100};
  s.enabled.deny_others = true;
  s.status_on_error = 503;
  s.shadow = shadow;
  Guarded h(std::move(s));
  h.request("GET", {}, true);
  CHECK(h.calls.waiting() == 0);
  CHECK(h.counted({4}) == 1);
  CHECK(h.terminal.complete == shadow);
  if (shadow) return;
  CHECK(h.client.status == 503);
  CHECK(h.stream.info().response_code_details == "ext_authz_error");
  CHECK(h.stream.info().response_flags.has(stream::ResponseFlag::kUnauthorizedExternalService));
}

TEST_CASE("in shadow mode every request goes on, and the filter state says what was decided") {
  Settings s = basic();
  s.shadow = true;
  s.upstream_headers = names({"x-user"});
  Guarded h(std::move(s));
  h.request("GET", {{"x-user", "forged"}, {"accept", "*/*"}}, true);
  SECTION("a refusal") {
    h.calls.answer(answer(401));
    CHECK(h.noted() == R"({"checkResult":"DENIED","statusCode":401})");
    CHECK(h.counted({2}) == 1);
    CHECK(h.terminal.headers == Fields{{"accept", "*/*"}});
  }
  SECTION("a failure") {
    h.calls.answer(answer(503));
    CHECK(h.noted() == R"({"checkResult":"ERROR"})");
    CHECK(h.counted({3}) == 1);
    CHECK(h.counted({5}) == 0);
    CHECK(h.terminal.headers == Fields{{"accept", "*/*"}});
  }
  SECTION("an answer that cannot be read") {
    HttpCallResponse broken;
    broken.failure = "protocol_error";
    h.calls.answer(broken);
    CHECK(h.noted() == R"({"checkResult":"ERROR"})");
  }
  SECTION("a permission") {
    h.calls.answer(answer(200, {{"x-user", "ada"}}));
    CHECK(h.noted() == R"({"checkResult":"OK"})");
    CHECK(h.terminal.headers == Fields{{"accept", "*/*"}, {"x-user", "ada"}});
  }
  CHECK(h.terminal.complete);
}

TEST_CASE("nothing is noted where refusals are refusals") {
  Guarded h(basic());
  h.request("GET", {}, true);
  h.calls.answer(answer(401));
  CHECK(h.noted().empty());
  CHECK(h.client.status == 401);
}

route::RouteSpec routeFor(const char* name, const char* header) {
  route::RouteSpec out;
  out.name = name;
  out.path = "/";
  out.action = route::DirectResponseSpec{};
  if (header != nullptr) {
    route::HeaderMatcher present;
    present.name = header;
    present.kind = route::HeaderMatcher::Kind::kPresent;
    out.conditions.headers.push_back(present);
  }
  return out;
}

std::shared_ptr<const route::Table> tenantsAndOthers() {
  route::VirtualHostSpec host{.name = "v", .domains = {"*"}};
  host.routes.push_back(routeFor("tenants", "x-tenant"));
  host.routes.push_back(routeFor("others", nullptr));
  route::TableSpec spec;
  spec.virtual_hosts.push_back(std::move(host));
  return *route::Table::build(std::move(spec));
}

TEST_CASE("headers of a permission choose another route if the configuration says so") {
  const bool clears = GENERATE(false, true);
  const bool changes = GENERATE(false, true);
  Settings s = basic();
  s.upstream_headers = names({"x-tenant"});
  s.clear_route_cache = clears;
  Harness h(filter::testing::entriesOf({std::make_shared<FilterFactory>(std::move(s))}), tenantsAndOthers());
  h.request("GET", {}, true);
  REQUIRE(h.stream.route().route->name == "others");

  h.calls.answer(answer(200, changes ? Fields{{"x-tenant", "a"}} : Fields{}));

  CHECK(h.stream.route().route->name == (clears && changes ? "tenants" : "others"));
  CHECK(h.terminal.complete);
}

TEST_CASE("in shadow mode and with another route it passes the interleaving suite") {
  const bool shadow = GENERATE(false, true);
  filter::testing::Suite suite;
  suite.max_runs = 3000;
  suite.chain = [&] {
    Settings s = basic();
    s.shadow = shadow;
    s.clear_route_cache = true;
    s.upstream_headers = names({"x-user"});
    return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{std::make_shared<FilterFactory>(std::move(s))};
  };
  suite.answer = [](const filter::HttpCallRequest&) { return answer(200, {{"x-user", "ada"}}); };
  suite.bad_answers = {answer(403), answer(503)};
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::ext_authz
