#include "source/extensions/filters/http/json_to_metadata/filter.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/http/json_to_metadata/v3/json_to_metadata.pb.h"
#include "source/extensions/filters/http/json_to_metadata/factory.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::json_to_metadata {
namespace {

namespace v3 = envoy::extensions::filters::http::json_to_metadata::v3;
using filter::testing::Fields;
using filter::testing::Harness;

struct World : filter::testing::FilterWorld<v3::JsonToMetadata> {
  World() : FilterWorld(registerFactory, "json_to_metadata.") {}
};

const Fields kJson{{"content-type", "application/json"}};

// A rule about a.b, with all three targets under "k" of "m"; `more` stands in on_present.
std::string rules(const std::string& more = "", const std::string& of_all = "") {
  const auto target = [](const std::string& fields) { return "{metadata_namespace: m, key: k" + fields + "}"; };
  return "{rules: [{selectors: [{key: a}, {key: b}], on_present: " + target(more) +
         ", on_missing: " + target(", value: missing") + ", on_error: " + target(", value: error") + "}]" + of_all +
         "}";
}

std::string show(const stream::MetadataValue* value) {
  if (value == nullptr) return "(none)";
  if (const auto* text = std::get_if<std::string>(&value->value)) return "'" + *text + "'";
  if (const auto* number = std::get_if<double>(&value->value)) return std::to_string(*number);
  if (const auto* flag = std::get_if<bool>(&value->value)) return *flag ? "true" : "false";
  return "?";
}

std::string found(Harness& h, const std::string& key = "k") {
  return show(h.stream.info().metadata().find("m", {key}));
}

// A world, a filter of its request rules, and a request with a body.
struct Asked {
  Asked(const std::string& rules, const std::string& body, const Fields& fields = kJson) {
    const auto factory = world.compile("request_rules: " + rules);
    INFO(world.problems());
    REQUIRE(factory);
    h.emplace(std::vector{factory});
    h->request("POST", fields, body.empty());
    if (!body.empty()) h->runner->requestData(body, true);
  }

  World world;
  std::optional<Harness> h;
};

std::string valueOf(const std::string& more, const std::string& body) {
  Asked asked(rules(more), body);
  CHECK(asked.h->terminal.body == body);
  CHECK(asked.h->terminal.complete);
  return found(*asked.h);
}

TEST_CASE("a value of the body becomes metadata, of its own type or of another") {
  CHECK(valueOf("", R"({"a": {"b": "x"}})") == "'x'");
  CHECK(valueOf("", R"({"a": {"b": true}})") == "true");
  CHECK(valueOf("", R"({"a": {"b": 7}})") == "7.000000");
  CHECK(valueOf(", type: STRING", R"({"a": {"b": 7}})") == "'7'");
  CHECK(valueOf(", type: STRING", R"({"a": {"b": true}})") == "'1'");
  CHECK(valueOf(", type: STRING", R"({"a": {"b": 1.5}})") == "'1.500000'");
  CHECK(valueOf(", type: STRING", R"({"a": {"b": ""}})") == "(none)");
  CHECK(valueOf(", type: NUMBER", R"({"a": {"b": " 2.5 "}})") == "2.500000");
  CHECK(valueOf(", value: fixed", R"({"a": {"b": 1}})") == "'fixed'");
}

TEST_CASE("what is not there, or cannot be made the type, counts as missing") {
  CHECK(valueOf("", R"({"a": 1})") == "'missing'");
  CHECK(valueOf("", R"({"a": {"b": {}}})") == "'missing'");
  CHECK(valueOf("", "7") == "'missing'");
  CHECK(valueOf(", value: fixed", "{}") == "'missing'");
  CHECK(valueOf(", type: NUMBER", R"({"a": {"b": "one"}})") == "'missing'");
  CHECK(valueOf("", R"({"a": {"b": ")" + std::string(kLongestText + 1, 'x') + R"("}})") == "'missing'");
  CHECK(valueOf("", R"({"a": {"b": ")" + std::string(kLongestText, 'x') + R"("}})").size() == kLongestText + 2);
}

TEST_CASE("each outcome has its target and its counter") {
  Asked fine(rules(), R"({"a": {"b": 1}})");
  CHECK(fine.world.counted(*fine.h, "rq.success") == 1);

  Asked no_body(rules(), "");
  CHECK(found(*no_body.h) == "'missing'");
  CHECK(no_body.world.counted(*no_body.h, "rq.no_body") == 1);

  Asked broken(rules(), "{");
  CHECK(found(*broken.h) == "'error'");
  CHECK(broken.h->terminal.body == "{");
  CHECK(broken.world.counted(*broken.h, "rq.invalid_json_body") == 1);

  Asked other(rules(), "a=1", {{"content-type", "text/plain"}});
  CHECK(found(*other.h) == "'error'");
  CHECK(other.world.counted(*other.h, "rq.mismatched_content_type") == 1);

  const std::string large = R"({"a": {"b": ")" + std::string(kMaxBody, 'x') + R"("}})";
  Asked too_large(rules(), large);
  CHECK(found(*too_large.h) == "'error'");
  CHECK(too_large.h->terminal.body == large);
  CHECK(too_large.world.counted(*too_large.h, "rq.too_large_body") == 1);
}

TEST_CASE("which bodies are read is said by their content type") {
  const auto read = [](const std::string& of_all, const std::string& type) {
    Asked asked(rules("", of_all), R"({"a": {"b": "x"}})", type.empty() ? Fields{} : Fields{{"content-type", type}});
    return found(*asked.h) == "'x'";
  };

  CHECK(read("", "application/json"));
  CHECK(read("", "Application/JSON; charset=utf-8"));
  CHECK_FALSE(read("", "application/json5"));
  CHECK_FALSE(read("", ""));
  CHECK(read(", allow_empty_content_type: true", ""));
  CHECK(read(", allow_content_types: [text/x]", "text/x"));
  CHECK_FALSE(read(", allow_content_types: [text/x]", "application/json"));
  CHECK(read(", allow_content_types_regex: {regex: 'text/.*'}", "text/y"));
  CHECK(read(", allow_content_types_regex: {regex: 'text/.*'}", "application/json"));
  CHECK_FALSE(read(", allow_content_types_regex: {regex: 'ext/.*'}", "text/y"));
}

TEST_CASE("what was there before stays where that is asked for") {
  World world;
  const auto factory = world.compile("request_rules: " + rules(", preserve_existing_metadata_value: true"));
  Harness h({factory});
  h.stream.info().metadata().set("m", "k", {std::string("before")});

  h.request("POST", kJson, false);
  h.runner->requestData(R"({"a": {"b": 1}})", true);

  CHECK(found(h) == "'before'");
}

TEST_CASE("answers have rules of their own") {
  World world;
  const auto factory = world.compile("response_rules: " + rules());
  REQUIRE(factory);
  Harness h({factory});

  h.request("POST", kJson, true);
  h.respond(200, kJson, false);
  h.runner->responseData(R"({"a": {"b": "y"}})", true);

  CHECK(found(h) == "'y'");
  CHECK(h.client.body == R"({"a": {"b": "y"}})");
  CHECK(world.counted(h, "resp.success") == 1);
  CHECK(world.counted(h, "rq.no_body") == 0);
}

TEST_CASE("the route is chosen anew when the body has set something") {
  const auto chosen_anew = [](const std::string& body) {
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
    const auto factory = world.compile("request_rules: {rules: [{selectors: [{key: a}], on_present: {key: k}}]}");
    Harness h(filter::testing::entriesOf({factory}), *route::Table::build(std::move(table)));
    h.request("POST", kJson, false);
    const auto* const before = h.stream.route().route;
    h.stream.request().path = "/other";
    h.runner->requestData(body, true);
    return h.stream.route().route != before;
  };

  CHECK(chosen_anew(R"({"a": 1})"));
  CHECK_FALSE(chosen_anew(R"({"b": 1})"));
}

TEST_CASE("a route's rules replace the filter's") {
  World world;
  const auto factory = world.compile("request_rules: " + rules());
  const auto route = world.compileRoute("response_rules: " + rules());
  REQUIRE(route);
  Harness h({factory}, {route});

  h.request("POST", kJson, false);
  h.runner->requestData("{", true);

  CHECK(found(h) == "(none)");
}

TEST_CASE("rules that would do nothing are refused") {
  const auto problem = [](const std::string& yaml) {
    World world;
    CHECK_FALSE(world.compile(yaml));
    return world.problems();
  };
  const auto rule = [](const std::string& more) {
    return "request_rules: {rules: [{selectors: [{key: a}]" + more + "}]}";
  };

  CHECK_THAT(problem("{}"), Catch::Contains("has no rules"));
  CHECK_THAT(problem("request_rules: {}"), Catch::Contains("request_rules.rules"));
  CHECK_THAT(problem(rule("")), Catch::Contains("rules[0]: has neither on_present nor on_missing"));
  CHECK_THAT(problem("request_rules: {rules: [{selectors: [{}], on_present: {key: k}}]}"),
             Catch::Contains("selectors[0]"));
  CHECK_THAT(problem(rule(", on_present: {metadata_namespace: sluice.identity, key: subject}")),
             Catch::Contains("on_present.metadata_namespace: is where filters of authentication say"));
  CHECK_THAT(problem(rule(", on_missing: {key: k}")), Catch::Contains("on_missing: has no value"));
  CHECK_THAT(problem(rule(", on_present: {key: k}, on_error: {key: k}")), Catch::Contains("on_error: has no value"));
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  filter::testing::Suite suite;
  suite.chain = [&] {
    return std::vector{world.compile("{request_rules: " + rules() + ", response_rules: " + rules() + "}")};
  };
  suite.request = {kJson, R"({"a":{"b":1}})", true};
  suite.response = {kJson, "{}", true};

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::json_to_metadata
