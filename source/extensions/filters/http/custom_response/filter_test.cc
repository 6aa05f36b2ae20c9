#include "source/extensions/filters/http/custom_response/filter.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "envoy/extensions/filters/http/custom_response/v3/custom_response.pb.h"
#include "envoy/type/matcher/v3/status_code_input.pb.h"
#include "source/config/match_input_factory.h"
#include "source/extensions/filters/http/custom_response/factory.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::custom_response {
namespace {

namespace v3 = envoy::extensions::filters::http::custom_response::v3;
using filter::testing::Fields;
using filter::testing::Harness;

// The status of the answer, in place of the extension that a matcher finds elsewhere.
class StatusInput final : public match::Input {
 public:
  uint8_t needs() const override { return match::kResponse; }
  match::Value get(const match::Data& data, match::Scratch& scratch) const override {
    if (data.response == nullptr) return {.state = match::Value::State::kNotYet};
    scratch = std::to_string(data.response->status);
    return {.text = scratch};
  }
};
using StatusFactory =
    config::PlainInputFactory<envoy::type::matcher::v3::HttpResponseStatusCodeMatchInput, StatusInput>;

struct World : filter::testing::FilterWorld<v3::CustomResponse> {
  World() : FilterWorld(registerFactory, "http.p.custom_response_") {
    registry.match_inputs.add(std::make_unique<StatusFactory>());
  }
};

// Takes answers with this status.
std::string taking(const std::string& status, const std::string& type, const std::string& fields) {
  return "custom_response_matcher: {matcher_tree: {input: {name: i, typed_config: {'@type': "
         "type.googleapis.com/envoy.type.matcher.v3.HttpResponseStatusCodeMatchInput}}, exact_match_map: {map: {'" +
         status +
         "': {action: {name: a, typed_config: {'@type': type.googleapis.com/envoy.extensions.http.custom_response." +
         type + ", " + fields + "}}}}}}}";
}

std::string local(const std::string& fields) {
  return taking("500", "local_response_policy.v3.LocalResponsePolicy", fields);
}

std::string redirect(const std::string& fields) {
  return taking("500", "redirect_policy.v3.RedirectPolicy", fields);
}

TEST_CASE("an answer that is taken is another one, and others go on as they are") {
  World world;
  const auto factory =
      world.compile(local("body: {inline_string: sorry}, status_code: 503, "
                          "response_headers_to_add: [{header: {key: x-was, value: '%RESP(x-old)%'}}]"));
  INFO(world.problems());
  REQUIRE(factory);
  Harness taken({factory});
  taken.request("GET", {}, true);
  taken.respond(500, {{"x-old", "1"}}, false);

  CHECK(taken.client.status == 503);
  CHECK(taken.client.body == "sorry");
  CHECK(taken.client.complete);
  CHECK(taken.client.headers == Fields{{"content-length", "5"}, {"x-was", "1"}, {"content-type", "text/plain"}});
  CHECK(taken.stream.info().response_code_details == "custom_response");

  Harness other({factory});
  other.request("GET", {}, true);
  other.respond(404, {{"x-old", "1"}}, true);

  CHECK(other.client.status == 404);
  CHECK(other.client.headers == Fields{{"x-old", "1"}});
}

TEST_CASE("a format makes the body, and the status stays if none is set") {
  World world;
  const auto factory =
      world.compile(local("body: {inline_string: sorry}, body_format: {json_format: {said: '%LOCAL_REPLY_BODY%'}}"));
  INFO(world.problems());
  REQUIRE(factory);
  Harness h({factory});

  h.request("GET", {}, true);
  h.respond(500, {}, true);

  CHECK(h.client.status == 500);
  CHECK_THAT(h.client.body, Catch::Contains("{\"said\":\"sorry\"}"));
  CHECK(std::count(h.client.headers.begin(), h.client.headers.end(),
                   Fields::value_type("content-type", "application/json")) == 1);
}

TEST_CASE("answers that are made here are taken, too") {
  World world;
  const auto factory = world.compile(local("body: {inline_string: sorry}"));
  Harness h({factory});
  h.request("GET", {}, true);

  h.runner->localReply(filter::Reply{500, "broken", "why"});

  CHECK(h.client.body == "sorry");
  CHECK(h.client.heads == 1);
}

TEST_CASE("the most specific level that takes the answer counts, then the filter") {
  World world;
  const auto factory = world.compile(local("body: {inline_string: filter}"));
  const auto takes = world.compileRoute(local("body: {inline_string: route}"));
  const auto takes_none = world.compileRoute("{}");
  const auto body = [&](const std::shared_ptr<const route::PerFilterConfig>& route) {
    Harness h({factory}, {route});
    h.request("GET", {}, true);
    h.respond(500, {}, true);
    return h.client.body;
  };

  CHECK(body(takes) == "route");
  CHECK(body(takes_none) == "filter");
}

// Routes of errors.internal to the cluster "pages", /here answered on the spot, and all else to none.
struct Elsewhere {
  explicit Elsewhere(const std::string& fields) {
    route::TableSpec table;
    route::VirtualHostSpec& errors = table.virtual_hosts.emplace_back();
    errors.name = "errors";
    errors.domains = {"errors.internal"};
    route::RouteSpec& here = errors.routes.emplace_back();
    here.path = "/here";
    here.action = route::DirectResponseSpec{.status = 200, .body = "on the spot"};
    route::RouteSpec& pages = errors.routes.emplace_back();
    pages.path = "/";
    route::ForwardSpec forward;
    forward.cluster = route::ClusterId{1};
    forward.cluster_name = "pages";
    pages.action = forward;
    route::VirtualHostSpec& own = table.virtual_hosts.emplace_back();
    own.name = "own";
    own.domains = {"a.example"};
    route::RouteSpec& route = own.routes.emplace_back();
    route.path = "/";
    route.action = route::DirectResponseSpec{};
    const auto factory = world.compile(redirect(fields));
    INFO(world.problems());
    REQUIRE(factory);
    h.emplace(filter::testing::entriesOf({factory}), *route::Table::build(std::move(table)));
    h->stream.request().path = "/p?q=1";
    h->request("POST", {{"x-user", "ada"}, {"content-length", "0"}}, true);
    h->respond(500, {{"x-old", "1"}}, true);
  }

  World world;
  std::optional<Harness> h;
};

TEST_CASE("an answer is got where the route table leads, with the request's own headers") {
  Elsewhere e(
      "uri: 'http://errors.internal/500.html', status_code: 502, request_headers_to_add: [{header: {key: x-code, "
      "value: '%RESP(x-old)%'}}], response_headers_to_add: [{header: {key: x-new, value: '1'}}]");
  REQUIRE(e.h->calls.waiting() == 1);
  const filter::HttpCallRequest& call = e.h->calls.request();
  CHECK(call.cluster == "pages");
  CHECK(call.method == "GET");
  CHECK(call.authority == "errors.internal");
  CHECK(call.path == "/500.html");
  const auto has = [&](const std::string& name) {
    return std::any_of(call.headers.begin(), call.headers.end(),
                       [&](const auto& field) { return field.first == name; });
  };
  CHECK(has("x-user"));
  CHECK(has("x-code"));
  CHECK_FALSE(has("content-length"));

  e.h->calls.answer(
      {.status = 200, .headers = {{"content-type", "text/html"}, {"connection", "close"}}, .body = "<p>"});

  CHECK(e.h->client.status == 502);
  CHECK(e.h->client.body == "<p>");
  CHECK(e.h->client.headers == Fields{{"content-length", "3"}, {"content-type", "text/html"}, {"x-new", "1"}});
  CHECK(e.h->client.complete);
}

TEST_CASE("an answer from elsewhere that is an error goes on as it is") {
  Elsewhere e(
      "uri: 'http://errors.internal/', status_code: 502, response_headers_to_add: [{header: {key: x-new, value: "
      "'1'}}]");

  e.h->calls.answer({.status = 404, .body = "no page"});

  CHECK(e.h->client.status == 404);
  CHECK(e.h->client.body == "no page");
}

TEST_CASE("what cannot be got leaves the answer that there was") {
  Elsewhere failed("uri: 'http://errors.internal/'");
  failed.h->calls.answer({.status = 0, .failure = "timeout"});
  CHECK(failed.h->client.status == 500);
  CHECK(failed.h->client.headers == Fields{{"x-old", "1"}});

  Elsewhere no_route("uri: 'http://nowhere.internal/'");
  CHECK(no_route.h->client.status == 500);
  CHECK(no_route.world.counted(*no_route.h, "redirect_no_route") == 1);
}

TEST_CASE("a target may be the request's own, changed, and may be answered on the spot") {
  Elsewhere path("redirect_action: {host_redirect: errors.internal, path_redirect: /e}");
  CHECK(path.h->calls.request().path == "/e?q=1");
  Elsewhere stripped("redirect_action: {host_redirect: errors.internal, strip_query: true}");
  CHECK(stripped.h->calls.request().path == "/p");
  Elsewhere own("redirect_action: {host_redirect: errors.internal, path_redirect: '/e?x=2'}");
  CHECK(own.h->calls.request().path == "/e?x=2");
  Elsewhere here("uri: 'http://errors.internal/here', status_code: 599");
  CHECK(here.h->client.status == 599);
  CHECK(here.h->client.body == "on the spot");
}

TEST_CASE("policies that make no sense are refused") {
  const auto problem = [](const std::string& yaml) {
    World world;
    CHECK_FALSE(world.compile(yaml));
    return world.problems();
  };

  CHECK_THAT(problem(redirect("uri: /path")), Catch::Contains("uri: is no absolute URI"));
  CHECK_THAT(problem(redirect("uri: 'ftp://a/'")), Catch::Contains("uri"));
  CHECK_THAT(problem(redirect("uri: 'http://a/#b'")), Catch::Contains("uri"));
  CHECK_THAT(problem(redirect("redirect_action: {port_redirect: 1}")), Catch::Contains("needs host_redirect"));
  CHECK_THAT(problem(redirect("redirect_action: {host_redirect: a, prefix_rewrite: /b}")),
             Catch::Contains("redirect_action: rewrites the path"));
  CHECK_THAT(problem(local("status_code: 100")), Catch::Contains("status_code"));
  CHECK_THAT(problem(local("body_format: {text_format_source: {inline_string: '%NO('}}")),
             Catch::Contains("body_format"));
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{world.compile(local("body: {inline_string: sorry}"))}; };

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

TEST_CASE("it passes the interleaving suite when answers come from elsewhere") {
  World world;
  filter::testing::Suite suite;
  suite.chain = [&] {
    return std::vector{
        world.compile(taking("200", "redirect_policy.v3.RedirectPolicy", "uri: 'http://a.example/page'"))};
  };
  route::TableSpec table;
  route::VirtualHostSpec& host = table.virtual_hosts.emplace_back();
  host.name = "all";
  host.domains = {"*"};
  route::RouteSpec& route = host.routes.emplace_back();
  route.path = "/";
  route::ForwardSpec forward;
  forward.cluster = route::ClusterId{1};
  forward.cluster_name = "pages";
  route.action = forward;
  suite.table = *route::Table::build(std::move(table));
  // The same as the answer that there was, which stays if none can be got.
  suite.response = {{}, "xyz", false};
  suite.answer = [](const filter::HttpCallRequest&) { return filter::HttpCallResponse{.status = 200, .body = "xyz"}; };
  suite.bad_answers = {{.status = 0, .failure = "reset"}, {.status = 200, .body = "xyz"}};

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::custom_response
