// Virtual hosts and clusters that matchers choose, as configured.
#include <string>

#include "source/config/filter_routes.h"
#include "source/config/http_filter_factory.h"
#include "source/config/loader.h"
#include "source/config/validate.h"
#include "source/extensions/test_all.h"
#include "source/route/rate_limits.h"
#include "source/route/test_request.h"
#include "source/stream/format_context.h"

namespace sluice::extensions {
namespace {

struct Compiled {
  std::shared_ptr<World> world = std::make_shared<World>();  // outlives the table
  std::shared_ptr<const route::Table> table;
  std::string errors;
};

// A table of one virtual host with these fields, and with these of its own.
Compiled compile(const std::string& host, const std::string& table = "") {
  Compiled out;
  World& world = *out.world;
  world.services.cluster_exists = [](std::string_view name) { return name != "missing"; };
  envoy::config::route::v3::RouteConfiguration proto;
  const std::string text = "{virtual_hosts: [{name: v, domains: ['*'], " + host + "}], validate_clusters: true" +
                           (table.empty() ? "" : ", " + table) + "}";
  if (world.load(text, proto)) out.table = config::compileRoutes(proto, world.at, world.services, nullptr);
  out.errors = world.problems();
  CHECK((out.table == nullptr) == !out.errors.empty());
  return out;
}

std::string extension(const std::string& type, const std::string& fields = "") {
  return "{name: e, typed_config: {'@type': type.googleapis.com/" + type + (fields.empty() ? "" : ", " + fields) + "}}";
}
std::string header(const std::string& name) {
  return "input: " + extension("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", "header_name: " + name);
}
std::string to(const std::string& cluster, const std::string& prefix = "/") {
  return "{action: " +
         extension("envoy.config.route.v3.Route",
                   "match: {prefix: " + prefix + "}, route: {cluster: " + cluster + "}") +
         "}";
}
std::string toCluster(const std::string& name) {
  return "{action: " +
         extension("envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction", "cluster: " + name) + "}";
}
std::string plugin(const std::string& matcher, const std::string& name = "p") {
  return "extension: {name: " + name +
         ", typed_config: {'@type': type.googleapis.com/"
         "envoy.extensions.router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier, cluster_matcher: {" +
         matcher + "}}}";
}
std::string routed(const std::string& action) {
  return "routes: [{match: {prefix: /}, route: {" + action + "}}]";
}

// "none" without a route.
std::string clusterOf(const Compiled& compiled, std::string_view path,
                      std::vector<std::pair<std::string_view, std::string_view>> fields = {}) {
  INFO(compiled.errors);
  REQUIRE(compiled.table);
  route::TestRequest request(path, "a.com", std::move(fields));
  const route::Match match = compiled.table->match(*request, 0);
  return match ? std::string(match.clusterName()) : "none";
}

}  // namespace

TEST_CASE("the matcher of a virtual host leads to routes and lists of routes") {
  const std::string list =
      "{action: " +
      extension(
          "envoy.config.route.v3.RouteList",
          "routes: [{match: {path: /exact}, route: {cluster: exact}}, {match: {prefix: /}, route: {cluster: rest}}]") +
      "}";
  const auto compiled =
      compile("matcher: {matcher_tree: {" + header("x-tenant") + ", exact_match_map: {map: {one: " + to("one", "/one") +
              ", many: " + list + "}}}, on_no_match: " + to("default") + "}");

  CHECK(clusterOf(compiled, "/one", {{"x-tenant", "one"}}) == "one");
  CHECK(clusterOf(compiled, "/two", {{"x-tenant", "one"}}) == "none");
  CHECK(clusterOf(compiled, "/exact", {{"x-tenant", "many"}}) == "exact");
  CHECK(clusterOf(compiled, "/else", {{"x-tenant", "many"}}) == "rest");
  CHECK(clusterOf(compiled, "/one", {{"x-tenant", "other"}}) == "default");
  CHECK(clusterOf(compiled, "/one") == "default");
  CHECK(compiled.table->clusters().size() == 4);
}

TEST_CASE("matchers nest, and look at tables of domains and numbers") {
  const std::string by_number =
      "{matcher: {matcher_tree: {" + header("x-level") + ", custom_match: " +
      extension("xds.type.matcher.v3.Int64RangeMatcher",
                "range_matchers: [{ranges: [{start: 1, end: 5}], on_match: " + to("low") + "}]") +
      "}}}";
  const auto compiled = compile(
      "matcher: {matcher_tree: {" + header("host") + ", custom_match: " +
      extension("xds.type.matcher.v3.ServerNameMatcher", "domain_matchers: [{domains: [a.com], on_match: " + by_number +
                                                             "}, {domains: ['*.com'], on_match: " + to("wide") + "}]") +
      "}}");

  CHECK(clusterOf(compiled, "/", {{"x-level", "4"}}) == "low");
  CHECK(clusterOf(compiled, "/", {{"x-level", "5"}}) == "wide");
}

TEST_CASE("a route in a matcher is checked as one in a list, and told with its place") {
  const std::string place = "virtual_hosts[0].matcher.on_no_match.action.typed_config";
  const auto refused = [](const std::string& action) {
    return compile("matcher: {on_no_match: {action: " + extension("envoy.config.route.v3.Route", action) + "}}").errors;
  };

  CHECK_SAYS(refused("match: {prefix: /}, route: {cluster: missing}"),
             place + ".route.cluster: there is no cluster \"missing\"");
  CHECK_SAYS(refused("match: {prefix: /}"), place);
  CHECK_SAYS(refused("match: {prefix: /}, direct_response: {status: 99}"), place + ".direct_response.status");
}

TEST_CASE("matchers that a virtual host cannot have are refused") {
  CHECK_SAYS(compile("matcher: {on_no_match: " + to("a") + "}, " + routed("cluster: a")).errors,
             "virtual_hosts[0].matcher: stands beside routes");
  CHECK_SAYS(compile("matcher: {on_no_match: {action: " + extension("google.protobuf.StringValue") + "}}").errors,
             "google.protobuf.StringValue is no action of a virtual host");
  CHECK_SAYS(compile("matcher: {on_no_match: {keep_matching: true, action: " +
                     extension("envoy.config.route.v3.Route", "match: {prefix: /}, route: {cluster: a}") + "}}")
                 .errors,
             "keep_matching: has no meaning in the matcher of a virtual host");
  for (const std::string type : {"HttpResponseStatusCodeMatchInput", "HttpResponseStatusCodeClassMatchInput",
                                 "HttpResponseLocalReplyMatchInput"}) {
    CHECK_SAYS(compile("matcher: {matcher_tree: {input: " + extension("envoy.type.matcher.v3." + type) +
                       ", exact_match_map: {map: {a: " + to("a") + "}}}}")
                   .errors,
               "looks at what the matcher of a virtual host does not have");
  }
  CHECK_SAYS(compile("matcher: {matcher_tree: {input: " +
                     extension("envoy.extensions.matching.common_inputs.network.v3.TransportProtocolInput") +
                     ", exact_match_map: {map: {a: " + to("a") + "}}}}")
                 .errors,
             "looks at what the matcher of a virtual host does not have");
}

TEST_CASE("tables with wrong keys are refused with their place") {
  const auto by = [](const std::string& type, const std::string& entry) {
    return compile("matcher: {matcher_tree: {" + header("x") +
                   ", custom_match: " + extension("xds.type.matcher.v3." + type, entry) + "}}")
        .errors;
  };
  const std::string domains =
      "virtual_hosts[0].matcher.matcher_tree.custom_match.typed_config.domain_matchers[0].domains";

  CHECK_SAYS(by("ServerNameMatcher", "domain_matchers: [{domains: ['a.*'], on_match: " + to("a") + "}]"),
             domains + "[0]: \"a.*\" is no domain");
  CHECK_SAYS(by("ServerNameMatcher", "domain_matchers: [{domains: [a.com, A.com], on_match: " + to("a") + "}]"),
             domains + "[1]: \"A.com\" stands in this matcher already");
  CHECK_SAYS(by("Int32RangeMatcher", "range_matchers: [{ranges: [{start: 5, end: 5}], on_match: " + to("a") + "}]"),
             "ranges[0]: is empty: it goes from 5 to below 5");
  CHECK_SAYS(by("DoubleRangeMatcher", "range_matchers: [{ranges: [{start: 2, end: 1}], on_match: " + to("a") + "}]"),
             "ranges[0]: is empty");
}

TEST_CASE("metadata is compared with metadata only") {
  const std::string admins = extension("envoy.extensions.matching.input_matchers.metadata.v3.Metadata",
                                       "value: {string_match: {exact: admin}}");
  const auto by = [&](const std::string& input) {
    return compile("matcher: {matcher_list: {matchers: [{predicate: {single_predicate: {" + input +
                   ", custom_match: " + admins + "}}, on_match: " + to("a") + "}]}}")
        .errors;
  };

  CHECK(by("input: " + extension("envoy.extensions.matching.common_inputs.network.v3.DynamicMetadataInput",
                                 "filter: f, path: [{key: k}]")) == "");
  CHECK_SAYS(by(header("x")), "compares values of metadata, which the input of this predicate does not give");
}

TEST_CASE("a matcher chooses the cluster of a route") {
  const std::string matcher =
      "matcher_tree: {" + header("x-v") + ", prefix_match_map: {map: {'2': " + toCluster("v2") + "}}}";

  const auto inlined = compile(routed("inline_cluster_specifier_plugin: {" + plugin(matcher) + "}"));
  const auto named =
      compile(routed("cluster_specifier_plugin: p"), "cluster_specifier_plugins: [{" + plugin(matcher) + "}]");

  for (const Compiled* compiled : {&inlined, &named}) {
    CHECK(clusterOf(*compiled, "/", {{"x-v", "2.1"}}) == "v2");
    CHECK(clusterOf(*compiled, "/", {{"x-v", "1"}}) == "");
  }
}

TEST_CASE("cluster specifiers are checked once, whether or not a route names them") {
  const std::string bad = plugin("on_no_match: " + toCluster("missing"));
  const std::string place =
      "cluster_specifier_plugins[0].extension.typed_config.cluster_matcher.on_no_match.action.typed_config.cluster";
  const std::string unused = compile(routed("cluster: a"), "cluster_specifier_plugins: [{" + bad + "}]").errors;
  const std::string used =
      compile(routed("cluster_specifier_plugin: p"), "cluster_specifier_plugins: [{" + bad + "}]").errors;

  for (const std::string& errors : {unused, used}) {
    CHECK_SAYS(errors, place + ": there is no cluster \"missing\"");
    CHECK(errors.find("there is no cluster") == errors.rfind("there is no cluster"));
  }
}

std::string limitedBy(const std::string& extension) {
  return "rate_limits: [{actions: [{extension: " + extension + "}]}], " + routed("cluster: a");
}
std::string expression(const std::string& fields) {
  return extension("envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor", "descriptor_key: k, " + fields);
}

// "key=value" of the only action of the host's limits.
std::string entryOf(const Compiled& compiled, const stream::StreamInfo& info) {
  INFO(compiled.errors);
  REQUIRE(compiled.table);
  route::TestRequest request("/p", "a.com", {{"x-a", "1"}});
  const route::Match match = compiled.table->match(*request, 0);
  const auto slot = compiled.world->services.filter_slots.slotOf(route::kRateLimitsSlot);
  const auto& limits = dynamic_cast<const route::RouteRateLimits&>(*match.perFilter(slot));
  const route::RateLimitAction& action = limits.of_host->at(0).actions.at(0);
  return action.key + "=" + action.source->get({.request = &*request, .info = info}).value_or("(none)");
}

TEST_CASE("descriptors of rate limits may be expressions and inputs of matchers") {
  stream::StreamInfo info;
  const auto entry = [&](const std::string& extension) { return entryOf(compile(limitedBy(extension)), info); };

  CHECK(entry(expression("text: \"request.path + '!'\"")) == "k=/p!");
  CHECK(entry(expression("text: 'size(request.path) * 2'")) == "k=4");
  CHECK(entry(expression("text: \"request.headers['x-a'] == '1'\"")) == "k=true");
  CHECK(entry(expression("text: \"request.headers['x-none']\"")) == "k=(none)");
  CHECK(entry(expression("parsed: {const_expr: {string_value: tree}}")) == "k=tree");
  CHECK(entry(extension("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", "header_name: x-a")) == "e=1");
  CHECK(entry(extension("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", "header_name: x-b")) == "e=(none)");
}

TEST_CASE("extensions that say nothing of a request cannot describe it") {
  const auto [described, problem] = GENERATE(table<std::string, std::string>({
      {expression("text: 'request.headers'"), "actions[0].extension.typed_config.text: has to be a bool, a number"},
      {expression("text: 'request.'"), "typed_config.text: 1:"},
      {expression("skip_if_error: true"), "typed_config: has no expression"},
      {extension("xds.type.matcher.v3.HttpAttributesCelMatchInput"), "typed_config: stands for no value"},
      {extension("envoy.type.matcher.v3.HttpResponseStatusCodeMatchInput"), "looks at what is not known"},
      {extension("envoy.extensions.filters.http.grpc_web.v3.GrpcWeb"), "does not configure"},
  }));

  CHECK_THAT(compile(limitedBy(described)).errors, Catch::Contains(problem));
}

TEST_CASE("names of cluster specifiers are there, once") {
  const std::string good = plugin("on_no_match: " + toCluster("a"), "by-user");

  CHECK_SAYS(
      compile(routed("cluster_specifier_plugin: by-usr"), "cluster_specifier_plugins: [{" + good + "}]").errors,
      "routes[0].route.cluster_specifier_plugin: \"by-usr\" is none of the cluster_specifier_plugins of the route "
      "configuration; did you mean \"by-user\"?");
  CHECK_SAYS(compile(routed("cluster_specifier_plugin: x")).errors, "; add it");
  CHECK_SAYS(compile(routed("cluster: a"), "cluster_specifier_plugins: [{" + good + "}, {" + good + "}]").errors,
             "cluster_specifier_plugins[1].extension.name: \"by-user\" is the name of another");
  CHECK_SAYS(compile(routed("inline_cluster_specifier_plugin: {" +
                            plugin("on_no_match: {action: " + extension("google.protobuf.StringValue") + "}") + "}"))
                 .errors,
             "google.protobuf.StringValue does not name a cluster");
}

TEST_CASE("large cluster specifiers are named by a bounded number of routes") {
  const std::string large = plugin("on_no_match: " + toCluster(std::string(6'000'000, 'c')));
  std::string routes;
  for (int i = 0; i < 20; ++i) routes += "{match: {prefix: /}, route: {cluster_specifier_plugin: p}}, ";

  const std::string errors = compile("routes: [" + routes + "]", "cluster_specifier_plugins: [{" + large + "}]").errors;

  CHECK_SAYS(errors, "routes[11].route.cluster_specifier_plugin: is one use too many");
  CHECK(errors.find("one use too many") == errors.rfind("one use too many"));
}

TEST_CASE("a route's settings are for the filter of that name, whichever of its messages the chain has") {
  const auto refused = [](const std::string& filter, const std::string& settings) {
    World world;
    envoy::config::route::v3::RouteConfiguration proto;
    const config::ChainFilters chain{{"f", world.registry.http_filters.find(filter)}};
    REQUIRE(chain.begin()->second.factory != nullptr);
    if (world.load("{virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, redirect: {}}], "
                   "typed_per_filter_config: {f: {'@type': type.googleapis.com/envoy.extensions.filters.http." +
                       settings + ", disabled: true}}}]}",
                   proto)) {
      config::compileRoutes(proto, world.at, world.services, &chain);
    }
    return world.problems();
  };

  CHECK(refused("envoy.extensions.filters.http.lua.v3.Lua", "lua.v3.LuaPerRoute") == "");
  CHECK(refused("sluice.extensions.filters.http.lua.v1.Lua", "lua.v3.LuaPerRoute") == "");
  CHECK_SAYS(refused("sluice.extensions.filters.http.lua.v1.Lua", "buffer.v3.BufferPerRoute"),
             "is no per-route setting of filter 'f'");
}

TEST_CASE("virtual hosts on demand are refused where nobody brings them") {
  CHECK_SAYS(compile(routed("cluster: c"), "vhds: {config_source: {ads: {}}}").errors, "vhds: is of tables by RDS");
}

TEST_CASE("a cluster specifier that nobody knows may be optional; its routes find no cluster") {
  const std::string unknown = "extension: " + extension("example.of.nobody.Specifier");
  const std::string by_name = "cluster_specifier_plugin: e";

  CHECK(clusterOf(compile(routed(by_name), "cluster_specifier_plugins: [{is_optional: true, " + unknown + "}]"), "/") ==
        "");
  CHECK_SAYS(compile(routed(by_name), "cluster_specifier_plugins: [{" + unknown + "}]").errors,
             "example.of.nobody.Specifier");
}

}  // namespace sluice::extensions
