// What a route matches on, from text to table; route/conditions_test.cc has what the conditions mean.
#include "source/config/route_match.h"

#include <string>

#include "source/config/test_route_compiler.h"
#include "source/route/rewrite.h"
#include "source/route/test_request.h"
#include "source/stream/format_context.h"

namespace sluice::config {
namespace {

using route::TestRequest;

std::string byTemplate(const std::string& text) {
  return "path_match_policy: {name: t, typed_config: {'@type': "
         "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig, path_template: '" +
         text + "'}}";
}

std::string rewritingBy(const std::string& text) {
  return "path_rewrite_policy: {name: t, typed_config: {'@type': "
         "type.googleapis.com/envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig, "
         "path_template_rewrite: '" +
         text + "'}}";
}

std::string rewritten(const std::string& path_template, const std::string& rewrite, std::string_view path) {
  Compiler compiler;
  const Compiled out =
      compiler.route("match: {" + byTemplate(path_template) + "}, route: {cluster: a, " + rewritingBy(rewrite) + "}");
  INFO(out.errors);
  REQUIRE(out.table);
  TestRequest request(path);
  const route::Match match = out.table->match(*request, 0);
  REQUIRE(match);
  const stream::StreamInfo info{};
  REQUIRE(route::finalizeRequest(match, *request, {.info = info}));
  return std::string(request->path);
}

struct Matching {
  explicit Matching(const std::string& match) : out(compiler.route(matching(match))) {
    INFO(out.errors);
    REQUIRE(out.table);
  }
  bool takes(TestRequest& request, uint64_t random = 0) {
    return route::matchOf(*out.table, request, random).route != nullptr;
  }
  bool takes(std::string_view path, std::vector<std::pair<std::string_view, std::string_view>> fields = {}) {
    TestRequest request(path, "example.com", std::move(fields));
    return takes(request);
  }

  Compiler compiler;
  Compiled out;
};

}  // namespace

TEST_CASE("a route matches by the template of its path, with regard to case") {
  Matching by_id(byTemplate("/api/v{version}/users/{id}"));
  Matching rest(byTemplate("/static/**"));

  CHECK(by_id.takes("/api/v1/users/7?x=1"));
  CHECK_FALSE(by_id.takes("/api/v1/users/7/"));
  CHECK_FALSE(by_id.takes("/API/v1/users/7"));
  CHECK(rest.takes("/static/a/b"));
  CHECK_FALSE(rest.takes("/static"));
  CHECK(Matching(byTemplate("/a") + ", case_sensitive: false")
            .out.warnings.find(
                ".match.case_sensitive: does not apply to path_match_policy, which regards case; remove it") !=
        std::string::npos);
}

TEST_CASE("a path is rewritten with the variables of its template") {
  CHECK(rewritten("/users/{id}/{rest=**}", "/{rest}/of/{id}", "/users/7/a/b?q=1") == "/a/b/of/7?q=1");
  CHECK(rewritten("/static/{rest=**}", "/{rest}", "/static/a") == "/a");
  CHECK(rewritten("/a", "/b", "/a?q=1") == "/b?q=1");
}

TEST_CASE("prefix_rewrite replaces all that a template matches") {
  Compiler compiler;
  const Compiled out =
      compiler.route("match: {" + byTemplate("/static/**") + "}, route: {cluster: a, prefix_rewrite: /new}");
  REQUIRE(out.table);
  TestRequest request("/static/a/b?q=1");
  const stream::StreamInfo info{};

  REQUIRE(route::finalizeRequest(out.table->match(*request, 0), *request, {.info = info}));

  CHECK(request->path == "/new?q=1");
}

TEST_CASE("templates and rewrites that are wrong are refused where they stand") {
  Compiler compiler;
  const std::string at_match = kRoute + ".match.path_match_policy.typed_config";
  const std::string at_rewrite = kRoute + ".route.path_rewrite_policy";
  const auto errorsOf = [&](const std::string& match, const std::string& action) {
    return compiler.routeErrors("match: {" + match + "}, route: {cluster: a, " + action + "}");
  };

  CHECK(compiler.routeErrors(matching(byTemplate("/v*"))) ==
        at_match + ".path_template: has '*' beside other text; it stands alone between slashes");
  CHECK(errorsOf(byTemplate("/v*"), rewritingBy("/{x}")) ==
        at_match + ".path_template: has '*' beside other text; it stands alone between slashes");
  CHECK(errorsOf(byTemplate("/{a}"), rewritingBy("/{b}")) ==
        at_rewrite +
            ".typed_config.path_template_rewrite: names the variable \"b\", which the template of "
            "path_match_policy has not");
  CHECK(errorsOf("prefix: /", rewritingBy("/x")) ==
        at_rewrite +
            ": needs the template of a path_match_policy in the route's match; set that, or use another "
            "rewrite");
  for (const char* other : {"prefix_rewrite: /x", "path_rewrite: '/x'"}) {
    CHECK(errorsOf(byTemplate("/{a}"), rewritingBy("/{a}") + ", " + other) ==
          kRoute +
              ".route: has path_rewrite_policy beside prefix_rewrite, regex_rewrite or path_rewrite, which rewrite "
              "the same path; keep one of them");
  }
  CHECK(compiler.routeErrors(matching("path_match_policy: {name: t, typed_config: {'@type': "
                                      "type.googleapis.com/envoy.config.route.v3.RouteMatch}}")) ==
        at_match +
            ": is a envoy.config.route.v3.RouteMatch; here only "
            "envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig is supported");
  CHECK(brokenRules(matching(byTemplate(""))).find(at_match + ".path_template: ") != std::string::npos);
}

TEST_CASE("a route matches by cookies") {
  Matching on("prefix: /, cookies: [{name: beta, string_match: {exact: 'on'}}]");
  Matching off("prefix: /, cookies: [{name: beta, string_match: {prefix: 'on'}, invert_match: true}]");

  CHECK(on.takes("/", {{"cookie", "a=b; beta=\"on\""}}));
  CHECK_FALSE(on.takes("/", {{"cookie", "beta=off"}}));
  CHECK_FALSE(on.takes("/"));
  CHECK(off.takes("/"));
  CHECK_FALSE(off.takes("/", {{"cookie", "a=b"}, {"cookie", "beta=on1"}}));
  CHECK(Compiler().routeErrors(matching("prefix: /, cookies: [{name: 'a=b', string_match: {exact: c}}]")) ==
        kRoute + ".match.cookies[0].name: holds '=', ';' or a space, which ends a cookie's name; no request has it");
}

TEST_CASE("a route matches gRPC, a share of requests and client certificates") {
  Matching grpc("prefix: /, grpc: {}");
  Matching share("prefix: /, runtime_fraction: {default_value: {numerator: 5, denominator: TEN_THOUSAND}}");
  Matching certificate("prefix: /, tls_context: {presented: true, validated: false}");
  TestRequest any("/"), shown("/");
  shown.tls().peer_presented = true;

  CHECK(grpc.takes("/", {{"content-type", "application/grpc+proto"}}));
  CHECK_FALSE(grpc.takes("/", {{"content-type", "application/grpc-web"}}));
  CHECK(share.takes(any, uint64_t{4} << 32));
  CHECK_FALSE(share.takes(any, uint64_t{5} << 32));
  CHECK(certificate.takes(shown));
  CHECK_FALSE(certificate.takes(any));
}

TEST_CASE("a share of requests is what the runtime says") {
  const runtime::Snapshot snapshot({{"share", runtime::Value::ofNumber(50)}});
  Compiler compiler;
  compiler.deps.runtime = &snapshot;
  const Compiled out =
      compiler.route(matching("prefix: /, runtime_fraction: {runtime_key: share, default_value: {numerator: 0}}"));
  REQUIRE(out.table);
  TestRequest request("/");

  CHECK(route::matchOf(*out.table, request, uint64_t{49} << 32));
  CHECK_FALSE(route::matchOf(*out.table, request, uint64_t{50} << 32));
}

TEST_CASE("a route matches by what filters left") {
  Matching metadata(
      "prefix: /, dynamic_metadata: [{filter: f, path: [{key: roles}], value: {list_match: {one_of: {or_match: "
      "{value_matchers: [{string_match: {exact: admin}}, {double_match: {range: {start: 1, end: 3}}}]}}}}}, "
      "{filter: f, path: [{key: a}, {key: b}], value: {bool_match: true}}, "
      "{filter: f, path: [{key: none}], value: {present_match: true}, invert: true}, "
      "{filter: f, path: [{key: nil}], value: {null_match: {}}}, "
      "{filter: f, path: [{key: two}], value: {double_match: {exact: 2}}}]");
  Matching state(
      "prefix: /, filter_state: [{key: who, string_match: {exact: me}}, {key: from, address_match: "
      "{ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}}]");
  TestRequest untouched("/"), left("/");
  stream::DynamicMetadata& values = left.info().metadata();
  values.set("f", "roles", {stream::MetadataList{{std::string("user")}, {2.0}}});
  values.set("f", "a", {stream::MetadataFields{{"b", {true}}}});
  values.set("f", "nil", {});
  values.set("f", "two", {2.0});
  left.info().filterState().set("who", "me");
  left.info().filterState().set("from", "10.1.2.3:99");

  CHECK(metadata.takes(left));
  CHECK_FALSE(metadata.takes(untouched));
  CHECK(state.takes(left));
  CHECK_FALSE(state.takes(untouched));
  values.set("f", "none", {});
  CHECK_FALSE(metadata.takes(left));
  left.info().filterState().set("from", "11.1.2.3:99");
  CHECK_FALSE(state.takes(left));
}

TEST_CASE("matchers of values that are wrong are refused where they stand") {
  Compiler compiler;
  const auto metadata = [](const std::string& value) {
    return matching("prefix: /, dynamic_metadata: [{filter: f, path: [{key: k}], value: {" + value + "}}]");
  };
  const std::string at = kRoute + ".match.dynamic_metadata[0].value";

  CHECK(compiler.routeErrors(metadata("double_match: {range: {start: 2, end: 2}}")) ==
        at + ".double_match.range: is empty; `start` is the lowest number and `end` the first one behind the range");
  CHECK(compiler
            .routeErrors(metadata("or_match: {value_matchers: [{bool_match: true}, {string_match: {safe_regex: "
                                  "{regex: '('}}}]}"))
            .starts_with(at + ".or_match.value_matchers[1].string_match.safe_regex"));
  CHECK(compiler.routeErrors(matching("prefix: /, filter_state: [{key: k, address_match: {ranges: []}}]")) ==
        kRoute + ".match.filter_state[0].address_match.ranges: needs at least one range");
  CHECK(compiler
            .routeErrors(matching("prefix: /, filter_state: [{key: k, address_match: {ranges: [{address_prefix: "
                                  "x, prefix_len: 8}]}}]"))
            .starts_with(kRoute + ".match.filter_state[0].address_match.ranges[0]"));
  CHECK(brokenRules(metadata("")).find(at + ": ") != std::string::npos);
  CHECK(brokenRules(metadata("or_match: {value_matchers: [{bool_match: true}]}"))
            .find(at + ".or_match.value_matchers: ") != std::string::npos);
  CHECK(brokenRules(matching("prefix: /, cookies: [{name: a}]")).find(kRoute + ".match.cookies[0].string_match: ") !=
        std::string::npos);
}

TEST_CASE("matchers that ask for nothing, or for what cannot be, are warned of") {
  const auto warningsOf = [](const std::string& match) { return Compiler().route(matching(match)).warnings; };

  CHECK(warningsOf("prefix: /, tls_context: {}").find("asks for nothing, so every request matches") !=
        std::string::npos);
  CHECK(warningsOf("prefix: /, tls_context: {presented: false, validated: true}")
            .find("asks for a certificate that is validated without being presented") != std::string::npos);
  CHECK(warningsOf("prefix: /, dynamic_metadata: [{filter: f, path: [{key: k}], value: {present_match: false}}]")
            .find(".dynamic_metadata[0].value.present_match: is false, which nothing matches") != std::string::npos);
  CHECK(warningsOf("prefix: /, tls_context: {presented: true}") == "");
}

TEST_CASE("a table says by which header and by what of a path its routes are chosen") {
  Compiler compiler;
  const Compiled out = compiler.compile(
      "{vhost_header: X-Tenant, ignore_path_parameters_in_path_matching: true, virtual_hosts: [{name: t, domains: "
      "[tenant], routes: [{match: {path: /a/b}, route: {cluster: a}}]}]}");
  REQUIRE(out.table);
  TestRequest named("/a;v=1/b;w", "any", {{"x-tenant", "tenant"}});
  TestRequest unnamed("/a/b", "tenant");

  CHECK(out.table->match(*named, 0));
  CHECK_FALSE(out.table->match(*unnamed, 0));
  CHECK(
      compiler
          .compile("{ignore_path_parameters_in_path_matching: true, virtual_hosts: [{name: t, domains: ['*'], routes: "
                   "[{match: {path: '/a;v=1'}, route: {cluster: a}}]}]}")
          .warnings.find(kRoute + ".match: holds ';' and matches nothing") != std::string::npos);
  CHECK(Compiler().route(matching("path: '/a;v=1'")).warnings == "");
  CHECK(compiler.compile("{vhost_header: 'a b', virtual_hosts: []}").errors ==
        "vhost_header: is no header name; use letters, digits and !#$%&'*+-.^_`|~ only");
  CHECK(compiler.compile("{vhost_header: ':status', virtual_hosts: []}").errors.starts_with("vhost_header: "));
}

}  // namespace sluice::config
