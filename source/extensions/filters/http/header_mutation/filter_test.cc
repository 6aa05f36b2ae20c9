#include "source/extensions/filters/http/header_mutation/filter.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/http/header_mutation/v3/header_mutation.pb.h"
#include "source/extensions/filters/http/header_mutation/factory.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::header_mutation {
namespace {

namespace v3 = envoy::extensions::filters::http::header_mutation::v3;
using filter::testing::Fields;
using filter::testing::Harness;

struct World : filter::testing::FilterWorld<v3::HeaderMutation, v3::HeaderMutationPerRoute> {
  World() : FilterWorld(registerFactory) {}
};

std::string append(const std::string& name, const std::string& value) {
  return "{append: {header: {key: " + name + ", value: '" + value + "'}}}";
}

TEST_CASE("headers and trailers of both directions change, one change after the other") {
  World world;
  const auto factory = world.compile(
      "mutations: {request_mutations: [" + append("x-a", "1") + ", {remove: x-a}, " + append("x-a", "2") +
      "], request_trailers_mutations: [" + append("x-b", "3") + "], response_mutations: [{remove: x-secret}, " +
      append("x-code", "%RESPONSE_CODE%") + "], response_trailers_mutations: [" + append("x-d", "4") + "]}");
  REQUIRE(factory);
  Harness h({factory});

  h.request("POST", {}, false);
  h.requestTrailers({{"t", "1"}});
  h.stream.info().response_code = 200;
  h.respond(200, {{"x-secret", "s"}, {"x-kept", "k"}}, false);
  h.responseTrailers({{"t", "2"}});

  CHECK(h.terminal.headers == Fields{{"x-a", "2"}});
  CHECK(h.terminal.trailers == Fields{{"t", "1"}, {"x-b", "3"}});
  CHECK(h.client.headers == Fields{{"x-kept", "k"}, {"x-code", "200"}});
  CHECK(h.client.trailers == Fields{{"t", "2"}, {"x-d", "4"}});
}

TEST_CASE("a route's changes come behind the filter's") {
  World world;
  const auto factory = world.compile("mutations: {request_mutations: [" + append("x-a", "filter") + "]}");
  const auto route = world.compileRoute("mutations: {request_mutations: [" + append("x-a", "route") + "]}");
  REQUIRE(route);
  Harness h({factory}, {route});

  h.request("GET", {}, true);

  CHECK(h.terminal.headers == Fields{{"x-a", "filter"}, {"x-a", "route"}});
}

TEST_CASE("the least specific level has the last word, unless the most specific is to have it") {
  const bool most_specific_wins = GENERATE(false, true);
  World world;
  const auto factory =
      world.compile(most_specific_wins ? "most_specific_header_mutations_wins: true" : "mutations: {}");
  const auto level = [&](const std::string& name) {
    return world.compileRoute("mutations: {request_mutations: [" + append("x-a", name) + "]}");
  };
  route::TableSpec table;
  table.per_filter = {{0, level("table")}};
  route::VirtualHostSpec& host = table.virtual_hosts.emplace_back();
  host.name = "v";
  host.domains = {"*"};
  host.per_filter = {{0, level("host")}};
  route::RouteSpec& route = host.routes.emplace_back();
  route.path = "/";
  route.action = route::DirectResponseSpec{};
  route.per_filter = {{0, level("route")}};
  Harness h(filter::testing::entriesOf({factory}), *route::Table::build(std::move(table)));

  h.request("GET", {}, true);

  const Fields wins{{"x-a", "table"}, {"x-a", "host"}, {"x-a", "route"}};
  CHECK(h.terminal.headers == (most_specific_wins ? wins : Fields(wins.rbegin(), wins.rend())));
}

// The path of a request that went through changes of its query.
std::string changed(const std::string& path, const std::string& changes) {
  World world;
  const auto factory = world.compile("mutations: {query_parameter_mutations: [" + changes + "]}");
  INFO(world.problems());
  REQUIRE(factory);
  Harness h({factory});
  h.stream.request().path = h.stream.arena().copy(path);
  h.request("GET", {{"x-a", "1 &2"}}, true);
  return std::string(h.stream.request().path);
}

std::string parameter(const std::string& action, const std::string& value = "new", const std::string& name = "a") {
  return "{append: {action: " + action + ", record: {key: " + name + ", value: '" + value + "'}}}";
}

TEST_CASE("parameters of the query are changed by name, and all else stays as it was sent") {
  CHECK(changed("/p?b=%41&a=1&c&%61=2&a", "{remove: a}") == "/p?b=%41&c");
  CHECK(changed("/p?a=1", "{remove: a}") == "/p");
  CHECK(changed("/p?&b=1&", "{remove: a}") == "/p?&b=1&");
  CHECK(changed("/p?b=1&a=2", parameter("APPEND_IF_EXISTS_OR_ADD")) == "/p?b=1&a=2&a=new");
  CHECK(changed("/p", parameter("APPEND_IF_EXISTS_OR_ADD")) == "/p?a=new");
  CHECK(changed("/p?a=1", parameter("ADD_IF_ABSENT")) == "/p?a=1");
  CHECK(changed("/p?", parameter("ADD_IF_ABSENT")) == "/p?a=new");
  CHECK(changed("/p?a=1&b=2&a=3", parameter("OVERWRITE_IF_EXISTS_OR_ADD")) == "/p?a=new&b=2");
  CHECK(changed("/p", parameter("OVERWRITE_IF_EXISTS_OR_ADD")) == "/p?a=new");
  CHECK(changed("/p?a=1", parameter("OVERWRITE_IF_EXISTS")) == "/p?a=new");
  CHECK(changed("/p?b=1", parameter("OVERWRITE_IF_EXISTS")) == "/p?b=1");
  CHECK(changed("*", parameter("OVERWRITE_IF_EXISTS_OR_ADD")) == "*");
}

TEST_CASE("what a parameter is made of cannot make another one") {
  CHECK(changed("/p", parameter("ADD_IF_ABSENT", "%REQ(x-a)%")) == "/p?a=1%20%262");
  CHECK(changed("/p", parameter("ADD_IF_ABSENT", "v", "'a&b'")) == "/p?a%26b=v");
  CHECK(changed("/p", parameter("ADD_IF_ABSENT", "%REQ(x-none)%")) == "/p?a=");
}

TEST_CASE("changes of a query that say too little are refused") {
  const auto problem = [](const std::string& change) {
    World world;
    CHECK_FALSE(world.compile("mutations: {query_parameter_mutations: [" + change + "]}"));
    return world.problems();
  };

  CHECK_THAT(problem("{}"), Catch::Contains("mutations.query_parameter_mutations[0]: has neither append nor remove"));
  CHECK_THAT(problem("{remove: a, append: {record: {key: a, value: b}}}"), Catch::Contains("has both"));
  CHECK_THAT(problem("{append: {record: {key: a, value: 1}}}"), Catch::Contains("append.record: needs a key"));
  CHECK_THAT(problem(parameter("ADD_IF_ABSENT", "%NO(")), Catch::Contains("append.record.value"));
}

TEST_CASE("names that cannot be changed are refused") {
  World world;

  CHECK_FALSE(world.compile("mutations: {response_mutations: [{remove: ':status'}]}"));

  CHECK_THAT(world.problems(), Catch::Contains("mutations.response_mutations[0].remove"));
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  filter::testing::Suite suite;
  suite.chain = [&] {
    return std::vector{world.compile("mutations: {request_mutations: [" + append("x-a", "1") + "]}")};
  };

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::header_mutation
