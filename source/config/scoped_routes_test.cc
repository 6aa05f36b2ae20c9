#include "source/config/scoped_routes.h"

#include <catch2/catch.hpp>

#include "source/config/test_world.h"

namespace sluice::config {
namespace {

using Proto = envoy::extensions::filters::network::http_connection_manager::v3::ScopedRoutes;
using Scope = envoy::config::route::v3::ScopedRouteConfiguration;

struct Bed : testing::TestWorld {
  std::optional<CompiledScopes> compile(const std::string& yaml) {
    Proto proto;
    if (!load(yaml, proto)) return std::nullopt;
    return compileScopedRoutes(proto, at, services, {}, "http.h.", "listener");
  }
  std::shared_ptr<const CompiledScope> compileOne(const std::string& yaml) {
    Scope proto;
    if (!load(yaml, proto)) return nullptr;
    return compileScope(proto, at, services);
  }
  bool says(const std::string& text) const {
    INFO(problems());
    return problems().find(text) != std::string::npos;
  }
};

std::string withScopes(const std::string& scopes, const std::string& more = "") {
  return "{name: s, scope_key_builder: {fragments: [{header_value_extractor: {name: X-Tenant, index: 0}}]}, "
         "scoped_route_configurations_list: {scoped_route_configurations: [" +
         scopes + "]}" + more + "}";
}

const std::string kInline =
    "{name: one, key: {fragments: [{string_key: a}]}, route_configuration: {name: t, virtual_hosts: [{name: v, "
    "domains: ['*'], routes: [{match: {prefix: /}, direct_response: {status: 200}}]}]}}";

TEST_CASE("a scope has its own table, or names one") {
  Bed t;
  const auto scopes =
      t.compile(withScopes(kInline + ", {name: two, key: {fragments: [{string_key: b}]}, route_configuration_name: r}",
                           ", rds_config_source: {ads: {}}"));
  INFO(t.problems());
  REQUIRE(scopes);
  REQUIRE(scopes->fixed.size() == 2);
  CHECK(scopes->fixed[0]->table->name() == "t");
  CHECK(scopes->fixed[0]->routes.empty());
  CHECK(scopes->fixed[1]->table == nullptr);
  CHECK(scopes->fixed[1]->routes == "r");
  const std::vector<std::string> key{"b"};
  CHECK(scopes->fixed[1]->key == route::scopeKey(key));
  base::Arena arena;
  http::RequestHeaders request(arena);
  request.add("x-tenant", "b");
  CHECK(scopes->builder.keyOf(request, arena) == scopes->fixed[1]->key);
}

TEST_CASE("two scopes with one key are refused by both names") {
  Bed t;
  CHECK_FALSE(
      t.compile(withScopes(kInline + ", {name: two, key: {fragments: [{string_key: a}]}, route_configuration_name: r}",
                           ", rds_config_source: {ads: {}}")));
  CHECK(
      t.says("scoped_route_configurations_list.scoped_route_configurations[1].key: scope 'two' has the key of scope "
             "'one', [a]"));
}

TEST_CASE("two scopes with one name are refused") {
  Bed t;
  CHECK_FALSE(
      t.compile(withScopes(kInline + ", {name: one, key: {fragments: [{string_key: b}]}, route_configuration_name: r}",
                           ", rds_config_source: {ads: {}}")));
  CHECK(t.says("scoped_route_configurations[1].name: \"one\" is another scope's name"));
}

TEST_CASE("a scope that names a table needs a source of tables") {
  Bed t;
  CHECK_FALSE(t.compile(withScopes("{name: two, key: {fragments: [{string_key: b}]}, route_configuration_name: r}")));
  CHECK(t.says("route_configuration_name: comes by RDS, and nothing says from where"));
}

TEST_CASE("scopes by SRDS need a source of tables, too") {
  Bed t;
  CHECK_FALSE(
      t.compile("{name: s, scope_key_builder: {fragments: [{header_value_extractor: {name: a, index: 0}}]}, "
                "scoped_rds: {scoped_rds_config_source: {ads: {}}}}"));
  CHECK(t.says("rds_config_source: is needed"));
}

TEST_CASE("a scope without a table, with two, or with one that is here and on demand is refused") {
  Bed none, two, here;
  const std::string key = "key: {fragments: [{string_key: a}]}";
  CHECK(none.compileOne("{name: s, " + key + "}") == nullptr);
  CHECK(none.says("has no table"));
  CHECK(two.compileOne("{name: s, " + key + ", route_configuration_name: r, route_configuration: {name: r}}") ==
        nullptr);
  CHECK(two.says("route_configuration: stands beside route_configuration_name"));
  CHECK(here.compileOne("{name: s, " + key + ", on_demand: true, route_configuration: {name: r}}") == nullptr);
  CHECK(here.says("cannot be on_demand"));
}

TEST_CASE("what is taken of a header has to be said, and to be there") {
  Bed nothing, second;
  const auto builder = [](const std::string& extractor) {
    return "{name: s, scope_key_builder: {fragments: [{header_value_extractor: " + extractor +
           "}]}, scoped_route_configurations_list: {scoped_route_configurations: [" + kInline + "]}}";
  };
  CHECK_FALSE(nothing.compile(builder("{name: a}")));
  CHECK(nothing.says("header_value_extractor: does not say what to take"));
  CHECK_FALSE(second.compile(builder("{name: a, index: 1}")));
  CHECK(second.says("index: is more than 0"));
}

TEST_CASE("a key that no request can have is told of") {
  Bed t;
  CHECK(
      t.compile(withScopes("{name: two, key: {fragments: [{string_key: a}, {string_key: b}]}, "
                           "route_configuration_name: r}",
                           ", rds_config_source: {ads: {}}")));
  REQUIRE(t.errors.warnings().size() == 1);
  CHECK(t.errors.warnings()[0].toString().find("scope 'two' has 2 fragments") != std::string::npos);
}

}  // namespace
}  // namespace sluice::config
