#include "source/extensions/filters/http/transform/filter.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/http/transform/v3/transform.pb.h"
#include "source/extensions/filters/http/transform/factory.h"
#include "source/filter/context.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::transform {
namespace {

namespace v3 = envoy::extensions::filters::http::transform::v3;
using filter::testing::Fields;
using filter::testing::Harness;

struct World : filter::testing::FilterWorld<v3::TransformConfig> {
  World() : FilterWorld(registerFactory, "http.p.http_transform.") {}
};

const Fields kJson{{"content-type", "application/json; charset=utf-8"}};

std::string setHeader(const std::string& name, const std::string& value) {
  return "{append: {header: {key: " + name + ", value: '" + value + "'}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}}";
}

std::string bodyFormat(const std::string& format, const std::string& action = "MERGE") {
  return "body_transformation: {action: " + action + ", body_format: {" + format + "}}";
}

// A world, a filter and a request with a body.
struct Asked {
  Asked(const std::string& yaml, const std::string& body, const Fields& fields = kJson,
        const std::string& of_route = "") {
    const auto factory = world.compile(yaml);
    INFO(world.problems());
    REQUIRE(factory);
    std::vector<std::shared_ptr<const route::PerFilterConfig>> route;
    if (!of_route.empty()) route.push_back(world.compileRoute(of_route));
    h.emplace(std::vector{factory}, route);
    h->request("POST", fields, body.empty());
    if (!body.empty()) h->runner->requestData(body, true);
  }
  void answer(const std::string& body, const Fields& fields = kJson) {
    h->stream.info().response_code_details = "via_upstream";
    h->respond(200, fields, body.empty());
    if (!body.empty()) h->runner->responseData(body, true);
  }
  std::string sent(const std::string& name) { return valueOf(h->terminal.headers, name); }
  std::string got(const std::string& name) { return valueOf(h->client.headers, name); }
  static std::string valueOf(const Fields& fields, const std::string& name) {
    for (const auto& [key, value] : fields) {
      if (key == name) return value;
    }
    return "(none)";
  }

  World world;
  std::optional<Harness> h;
};

std::string request(const std::string& what) {
  return "request_transformation: {" + what + "}";
}
std::string response(const std::string& what) {
  return "response_transformation: {" + what + "}";
}
std::string headers(const std::string& value) {
  return "headers_mutations: [" + setHeader("x-made", value) + "]";
}

TEST_CASE("headers get values of the body") {
  const auto made = [](const std::string& format, const std::string& body) {
    Asked asked(request(headers(format)), body);
    CHECK(asked.h->terminal.body == body);
    CHECK(asked.h->terminal.complete);
    return asked.sent("x-made");
  };

  CHECK(made("%REQUEST_BODY(model)%", R"({"model": "large"})") == "large");
  CHECK(made("%REQUEST_BODY(a:b)%/%REQUEST_BODY(a:c)%", R"({"a": {"b": 7, "c": [1, true]}})") == "7/[1,true]");
  CHECK(made("x%REQUEST_BODY(a):2%", R"({"a": "12345"})") == "x12");
  CHECK(made("%REQUEST_BODY()%", "{\n\"a\":\n1}") == R"({"a":1})");
  CHECK(made("%REQUEST_BODY(a)%", R"({"a": "x\r\ny: z"})") == "x  y: z");
  CHECK(made("%REQUEST_BODY(a)%", "{}") == "(none)");
  CHECK(made("%REQUEST_BODY(a)%", R"({"a": ")" + std::string(kLongestInHeader, 'x') + R"("})").size() ==
        kLongestInHeader);
  CHECK(made("%REQUEST_BODY(a)%", R"({"a": ")" + std::string(kLongestInHeader + 1, 'x') + R"("})") == "(none)");
  CHECK(made(R"(%COALESCE({"operators": [{"command": "REQUEST_BODY", "param": "a"}, "PROTOCOL"]})%)",
             R"({"a": "first"})") == "first");
}

TEST_CASE("a header that is removed first is never the client's") {
  Fields fields = kJson;
  fields.emplace_back("x-made", "client");
  const auto sent = [&](const std::string& first, const std::string& body) {
    return Asked(request("headers_mutations: [" + first + setHeader("x-made", "%REQUEST_BODY(a)%") + "]"), body, fields)
        .sent("x-made");
  };

  CHECK(sent("", "{}") == "client");
  CHECK(sent("{remove: x-made}, ", "{}") == "(none)");
  CHECK(sent("{remove: x-made}, ", "{\"a\": \"b\"}") == "b");
}

TEST_CASE("what a format makes is merged with the body, or replaces it") {
  Asked merged(request(bodyFormat("json_format: {model: new, was: '%REQUEST_BODY(model)%'}")),
               R"({"n": 1.50, "model": {"old": [ ]}})");
  CHECK(merged.h->terminal.body == R"({"n":1.50,"model":"new","was":{"old":[]}})");
  CHECK(merged.sent("content-length") == std::to_string(merged.h->terminal.body.size()));
  CHECK(merged.sent("content-type") == kJson[0].second);

  Asked replaced(request(bodyFormat("text_format: 'n=%REQUEST_BODY(n)%', content_type: text/x", "REPLACE")),
                 R"({"n": 1})");
  CHECK(replaced.h->terminal.body == "n=1");
  CHECK(replaced.sent("content-type") == "text/x");
}

TEST_CASE("formats see the body and the headers as they came") {
  Asked asked(request(headers("%REQUEST_BODY(a)%") + ", " + bodyFormat("json_format: {a: new, h: '%REQ(x-made)%'}")),
              R"({"a": "old"})", {kJson[0], {"x-made", "before"}});

  CHECK(asked.sent("x-made") == "old");
  CHECK(asked.h->terminal.body == R"({"a":"new","h":"before"})");
}

TEST_CASE("what is no JSON object, has no body or another type goes on untouched and is not counted") {
  const std::string yaml = request(headers("%REQUEST_BODY(a)%x") + ", " + bodyFormat("json_format: {b: c}"));
  const auto touched = [&](const std::string& body, const Fields& fields = kJson) {
    Asked asked(yaml, body, fields);
    CHECK(asked.h->terminal.complete);
    CHECK(asked.world.counted(*asked.h, "rq_transformed") == (asked.sent("x-made") == "(none)" ? 0 : 1));
    CHECK((asked.h->terminal.body == body) == (asked.sent("x-made") == "(none)"));
    return asked.sent("x-made") != "(none)";
  };

  CHECK(touched(R"({"a": 1})"));
  CHECK(touched("{}"));
  CHECK_FALSE(touched(""));
  CHECK_FALSE(touched("[]"));
  CHECK_FALSE(touched(R"({"a": 1)"));
  CHECK_FALSE(touched(R"({"a": 1, "a": 2})"));
  CHECK_FALSE(touched("{}", {{"content-type", "text/plain"}}));
  CHECK_FALSE(touched("{}", {}));
}

TEST_CASE("where what the format makes cannot be merged nothing changes, headers neither") {
  Asked asked(request(headers("x") + ", " + bodyFormat("text_format: '%REQUEST_BODY(a)%'")), R"({"a": "b"})");

  CHECK(asked.h->terminal.body == R"({"a": "b"})");
  CHECK(asked.sent("x-made") == "(none)");
  CHECK(asked.world.counted(*asked.h, "rq_transformed") == 0);
}

TEST_CASE("a larger body is refused") {
  Asked asked(request(headers("x")), R"({"a": ")" + std::string(kMaxBody, 'x') + R"("})");

  CHECK(asked.h->client.status == 413);
  CHECK(asked.h->terminal.heads == 0);
}

TEST_CASE("answers of hosts are transformed, with values of both bodies") {
  const std::string yaml = request("headers_mutations: []") + "\n" +
                           response(headers("%RESPONSE_BODY(usage:total)% of %REQUEST_BODY(model)%") + ", " +
                                    bodyFormat("json_format: {model: '%REQUEST_BODY(model)%'}"));
  Asked asked(yaml, R"({"model": "m"})");
  asked.answer(R"({"usage": {"total": 7}, "model": "secret"})");

  CHECK(asked.got("x-made") == "7 of m");
  CHECK(asked.h->client.body == R"({"usage":{"total": 7},"model":"m"})");
  CHECK(asked.world.counted(*asked.h, "rs_transformed") == 1);
  CHECK(asked.world.counted(*asked.h, "rq_transformed") == 0);
}

TEST_CASE("answers that are made here stay as they are") {
  Asked asked(response(headers("x")), "");

  asked.h->stream.info().response_code_details = "direct_response";
  asked.h->respond(200, kJson, false);
  asked.h->runner->responseData("{}", true);

  CHECK(asked.got("x-made") == "(none)");
  CHECK(asked.h->client.body == "{}");
}

TEST_CASE("a route's transformations replace the filter's, in both directions") {
  Asked asked(request(headers("x")) + "\n" + response(headers("y")), "{}", kJson, request(headers("route")));
  asked.answer("{}");

  CHECK(asked.sent("x-made") == "route");
  CHECK(asked.got("x-made") == "(none)");
  CHECK(asked.world.counted(*asked.h, "rq_transformed") == 1);
}

TEST_CASE("the route is chosen anew by changed headers where that is asked for") {
  const auto chosen_anew = [](const std::string& more) {
    World world;
    route::TableSpec table;
    route::VirtualHostSpec& host = table.virtual_hosts.emplace_back();
    host.name = "v";
    host.domains = {"*"};
    for (const char* path : {"/other", "/"}) {
      route::RouteSpec& route = host.routes.emplace_back();
      route.path = path;
      route.action = route::DirectResponseSpec{};
    }
    const auto factory = world.compile(request(headers("x")) + more);
    Harness h(filter::testing::entriesOf({factory}), *route::Table::build(std::move(table)));
    h.request("POST", kJson, false);
    const auto* const before = h.stream.route().route;
    h.stream.request().path = "/other";
    h.runner->requestData("{}", true);
    return h.stream.route().route != before;
  };

  CHECK(chosen_anew("\nclear_route_cache: true"));
  CHECK_FALSE(chosen_anew(""));
  CHECK_FALSE(chosen_anew("\nclear_cluster_cache: true"));
}

TEST_CASE("what cannot be is refused") {
  const auto problem = [](const std::string& yaml) {
    World world;
    CHECK_FALSE(world.compile(yaml));
    return world.problems();
  };

  CHECK_THAT(problem("clear_route_cache: true\nclear_cluster_cache: true"), Catch::Contains("keep one of them"));
  CHECK_THAT(problem(request("body_transformation: {}")), Catch::Contains("body_format"));
  CHECK_THAT(problem(request(bodyFormat("json_format: {a: '%NOTHING%'}"))),
             Catch::Contains("body_format: json_format: a:") && Catch::Contains("%NOTHING%"));
  CHECK_THAT(problem(request(headers("%REQUEST_BODY(a%"))), Catch::Contains("headers_mutations[0]"));
}

// Marks what the suite's upstream answers as such.
class Upstream : public filter::HttpFilter {
 public:
  filter::HookResult onResponseHeaders(http::ResponseHeaders&, filter::Context& context) override {
    auto& details = context.info().response_code_details;
    if (details.empty()) details = "via_upstream";
    return filter::Next{};
  }
};

TEST_CASE("it passes the interleaving suite") {
  World world;
  filter::testing::Suite suite;
  suite.chain = [&] {
    return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{
        world.compile(request(headers("x") + ", " + bodyFormat("json_format: {b: '%REQUEST_BODY(a)%'}")) + "\n" +
                      response(bodyFormat("text_format: '<%RESPONSE_BODY(a)%>'", "REPLACE"))),
        std::make_shared<filter::Factory<Upstream>>()};
  };
  suite.request = {kJson, R"({"a":1})", true};
  suite.response = {kJson, R"({"a":2})", true};
  suite.request_due = [](std::string_view) { return R"({"a":1,"b":1})"; };
  suite.response_due = [](std::string_view) { return "<2>"; };

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::transform
