#include "source/extensions/filters/http/rbac/filter.h"

#include <catch2/catch.hpp>

#include <optional>
#include <string>
#include <vector>

#include "envoy/extensions/filters/http/rbac/v3/rbac.pb.h"
#include "source/extensions/filters/http/rbac/factory.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::rbac {
namespace {

namespace v3 = envoy::extensions::filters::http::rbac::v3;
using filter::testing::Fields;
using filter::testing::Harness;

struct World : filter::testing::FilterWorld<v3::RBAC, v3::RBACPerRoute> {
  World() : FilterWorld(registerFactory, "http.p.rbac.") {}
};

const std::string kAny = "{any: true}";

std::string policy(const std::string& permission, const std::string& principal = kAny, const std::string& more = "") {
  return "{permissions: [" + permission + "], principals: [" + principal + "]" + more + "}";
}

std::string rules(const std::string& action, const std::string& policies, const std::string& field = "rules") {
  return field + ": {action: " + action + ", policies: {" + policies + "}}";
}

// One request through a filter.
struct Asked {
  explicit Asked(const std::string& yaml, const std::string& route_yaml = "") {
    const auto factory = world.compile("{" + yaml + "}");
    INFO(world.problems());
    REQUIRE(factory);
    h.emplace(std::vector{factory},
              std::vector{route_yaml.empty() ? nullptr : world.compileRoute("{" + route_yaml + "}")});
  }
  // Whether it came through.
  bool get(const std::string& path = "/", const Fields& fields = {}) {
    h->stream.request().path = h->stream.arena().copy(path);
    h->request("GET", fields, true);
    return h->terminal.heads == 1;
  }
  stream::StreamInfo& info() { return h->stream.info(); }
  // A value of the dynamic metadata; empty: there is none.
  std::string metadata(const std::string& key, const std::string& filter = "envoy.filters.http.rbac") {
    if (!info().dynamic_metadata) return "";
    const stream::MetadataValue* const value = info().dynamic_metadata->find(filter, {key});
    if (value == nullptr) return "";
    if (const bool* flag = std::get_if<bool>(&value->value)) return *flag ? "true" : "false";
    return std::get<std::string>(value->value);
  }
  int counted(const std::string& name) { return world.counted(*h, name); }

  World world;
  std::optional<Harness> h;
};

// Whether one policy, with that permission, lets a request in.
bool admits(const std::string& permission, const std::string& path, const Fields& fields = {}) {
  return Asked(rules("ALLOW", "p: " + policy(permission))).get(path, fields);
}

TEST_CASE("without rules it does nothing") {
  Asked asked("rules_stat_prefix: a");
  CHECK(asked.get());
  CHECK(!asked.info().dynamic_metadata);
}

TEST_CASE("a request that no policy allows is answered 403 and says why") {
  Asked asked(rules("ALLOW", "p: " + policy("{header: {name: x-a}}")));
  CHECK_FALSE(asked.get());
  CHECK(asked.h->client.status == 403);
  CHECK(asked.h->client.body == "RBAC: access denied");
  CHECK(asked.info().response_code_details == "rbac_access_denied_matched_policy[none]");
  CHECK(asked.metadata("enforced_engine_result") == "denied");
  CHECK(asked.metadata("enforced_effective_policy_id") == "");
  CHECK(asked.counted("denied") == 1);
  CHECK(asked.counted("allowed") == 0);
}

TEST_CASE("of the policies that match the first by name counts") {
  Asked asked(
      rules("DENY", "c: " + policy(kAny) + ", 'b d': " + policy(kAny) + ", a: " + policy("{header: {name: x-a}}")));
  CHECK_FALSE(asked.get());
  CHECK(asked.info().response_code_details == "rbac_access_denied_matched_policy[b_d]");
  CHECK(asked.metadata("enforced_effective_policy_id") == "b d");
}

TEST_CASE("a path is compared without its query, a template by its segments") {
  const std::string exact = "{url_path: {path: {exact: /a}}}";
  CHECK(admits(exact, "/a"));
  CHECK(admits(exact, "/a?b=/c"));
  CHECK_FALSE(admits(exact, "/b?/a"));
  CHECK_FALSE(admits(exact, "/a;v=1"));
  const std::string by_template =
      "{uri_template: {name: t, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig, "
      "path_template: '/users/{id}/x'}}}";
  CHECK(admits(by_template, "/users/7/x?q"));
  CHECK_FALSE(admits(by_template, "/users/7/y"));
  CHECK_FALSE(admits(by_template, "/users/7/8/x"));
}

TEST_CASE("where routes ignore path parameters, rules do") {
  const bool ignore = GENERATE(false, true);
  World world;
  const auto factory = world.compile("{" + rules("DENY", "p: " + policy("{url_path: {path: {exact: /admin}}}")) + "}");
  REQUIRE(factory);
  route::TableSpec table;
  table.ignore_path_parameters = ignore;
  route::VirtualHostSpec& host = table.virtual_hosts.emplace_back();
  host.name = "v";
  host.domains = {"*"};
  route::RouteSpec& route = host.routes.emplace_back();
  route.path = "/";
  route.action = route::DirectResponseSpec{};
  Harness h(filter::testing::entriesOf({factory}), *route::Table::build(std::move(table)));
  h.stream.request().path = "/admin;v=1?q";

  h.request("GET", {}, true);

  CHECK(h.terminal.heads == (ignore ? 0 : 1));
}

TEST_CASE("of a header's lines one has to match, and no other hides it") {
  const std::string role = "{header: {name: X-Role, string_match: {exact: admin}}}";
  CHECK(admits(role, "/", {{"x-role", "user"}, {"x-role", "admin"}}));
  CHECK_FALSE(admits(role, "/", {{"x-role", "user,admin"}}));
  CHECK_FALSE(admits(role, "/"));
  const std::string not_role = "{not_rule: " + role + "}";
  CHECK_FALSE(admits(not_role, "/", {{"x-role", "admin"}, {"x-role", "user"}}));
  CHECK(admits(not_role, "/"));
}

TEST_CASE("addresses are those of the client and of the socket") {
  const auto admitted = [](const std::string& principal) {
    Asked asked(rules("ALLOW", "p: " + policy("{destination_port: 443}", principal)));
    asked.info().downstream_remote_address = "203.0.113.9:1";
    asked.info().downstream_direct_remote_address = "10.1.1.1:2";
    asked.info().downstream_local_address = "10.0.0.1:443";
    return asked.get();
  };
  CHECK(admitted("{remote_ip: {address_prefix: 203.0.113.0, prefix_len: 24}}"));
  CHECK_FALSE(admitted("{remote_ip: {address_prefix: 10.0.0.0, prefix_len: 8}}"));
  CHECK(admitted("{direct_remote_ip: {address_prefix: 10.0.0.0, prefix_len: 8}}"));
  CHECK_FALSE(admitted("{direct_remote_ip: {address_prefix: 203.0.113.0, prefix_len: 24}}"));
}

TEST_CASE("what filters left and what the route says are asked where each stands") {
  const std::string matcher = "{filter: f, path: [{key: k}], value: {string_match: {exact: v}}}";
  const stream::MetadataFields of_route{{"f", {stream::MetadataFields{{"k", {std::string("v")}}}}}};
  const auto admitted = [&](const std::string& rule, bool dynamic) {
    Asked asked(rules("ALLOW", "p: " + policy(rule, rule)));
    if (dynamic) asked.info().metadata().set("f", "k", {std::string("v")});
    if (!dynamic) asked.info().route_metadata = &of_route;
    return asked.get();
  };
  const std::string dynamic = "{sourced_metadata: {metadata_matcher: " + matcher + "}}";
  const std::string route = "{sourced_metadata: {metadata_source: ROUTE, metadata_matcher: " + matcher + "}}";
  CHECK(admitted(dynamic, true));
  CHECK(admitted("{metadata: " + matcher + "}", true));
  CHECK_FALSE(admitted(dynamic, false));
  CHECK(admitted(route, false));
  CHECK_FALSE(admitted(route, true));
}

TEST_CASE("filter state is a principal") {
  Asked with(rules("ALLOW", "p: " + policy(kAny, "{filter_state: {key: user, string_match: {exact: ann}}}")));
  with.info().filterState().set("user", "ann");
  CHECK(with.get());
  Asked without(rules("ALLOW", "p: " + policy(kAny, "{filter_state: {key: user, string_match: {exact: ann}}}")));
  CHECK_FALSE(without.get());
}

const std::string kMethodIs =
    ", condition: {call_expr: {function: _==_, args: [{select_expr: {operand: {ident_expr: {name: request}}, field: "
    "method}}, {const_expr: {string_value: ";

TEST_CASE("a condition has to hold, too, and one that fails does not") {
  CHECK(Asked(rules("ALLOW", "p: " + policy(kAny, kAny, kMethodIs + "GET}}]}}"))).get());
  CHECK_FALSE(Asked(rules("ALLOW", "p: " + policy(kAny, kAny, kMethodIs + "PUT}}]}}"))).get());
  const std::string no_header =
      ", checked_condition: {expr: {call_expr: {function: _==_, args: [{call_expr: {function: '_[_]', args: "
      "[{select_expr: {operand: {ident_expr: {name: request}}, field: headers}}, {const_expr: {string_value: x}}]}}, "
      "{const_expr: {string_value: ''}}]}}}";
  CHECK_FALSE(Asked(rules("ALLOW", "p: " + policy(kAny, kAny, no_header))).get());
}

TEST_CASE("shadow rules count, tell and let through") {
  Asked asked(rules("DENY", "p: " + policy(kAny), "shadow_rules") + ", shadow_rules_stat_prefix: next_");
  CHECK(asked.get());
  CHECK(asked.metadata("next_shadow_engine_result") == "denied");
  CHECK(asked.metadata("next_shadow_effective_policy_id") == "p");
  CHECK(asked.metadata("enforced_engine_result") == "");
  CHECK(asked.counted("next_.shadow_denied") == 1);
  CHECK(asked.counted("allowed") == 0);
}

TEST_CASE("policies are counted by name where that is asked for") {
  const std::string both = rules("ALLOW", "p: " + policy(kAny)) + ", " +
                           rules("DENY", "q: " + policy(kAny), "shadow_rules") + ", rules_stat_prefix: r";
  Asked tracked(both + ", track_per_rule_stats: true");
  CHECK(tracked.get());
  CHECK(tracked.counted("r.allowed") == 1);
  CHECK(tracked.counted("r.policy.p.allowed") == 1);
  CHECK(tracked.counted("policy.q.shadow_denied") == 1);
  CHECK(tracked.metadata("renforced_engine_result") == "allowed");
  Asked untracked(both);
  CHECK(untracked.get());
  CHECK(untracked.counted("r.policy.p.allowed") == 0);
}

TEST_CASE("LOG lets all through and hints to the access log") {
  Asked matched(rules("LOG", "p: " + policy(kAny)));
  CHECK(matched.get());
  CHECK(matched.metadata("access_log_hint", "envoy.common") == "true");
  Asked other(rules("LOG", "p: " + policy("{header: {name: x-a}}")));
  CHECK(other.get());
  CHECK(other.metadata("access_log_hint", "envoy.common") == "false");
  Asked shadow(rules("LOG", "p: " + policy(kAny), "shadow_rules"));
  CHECK(shadow.get());
  CHECK(shadow.metadata("access_log_hint", "envoy.common") == "");
}

// A tree that leads to one action, whatever is asked.
std::string tree(const std::string& action) {
  return "matcher: {on_no_match: {action: {name: a, typed_config: {'@type': "
         "type.googleapis.com/envoy.config.rbac.v3.Action, name: p, action: " +
         action + "}}}}";
}

TEST_CASE("the action that a matcher leads to decides") {
  CHECK(Asked(tree("ALLOW")).get());
  Asked denied(tree("DENY"));
  CHECK_FALSE(denied.get());
  CHECK(denied.info().response_code_details == "rbac_access_denied_matched_policy[p]");
  Asked logged(tree("LOG"));
  CHECK(logged.get());
  CHECK(logged.metadata("access_log_hint", "envoy.common") == "true");
}

TEST_CASE("a route has its own rules, or none") {
  const std::string nobody = rules("ALLOW", "");
  CHECK_FALSE(Asked(nobody).get());
  CHECK(Asked(nobody, "rbac: {" + rules("ALLOW", "p: " + policy(kAny)) + "}").get());
  Asked disabled(nobody, "rbac: ~");
  CHECK(disabled.get());
  CHECK(disabled.counted("allowed") == 0);
  Asked counted("rules_stat_prefix: r",
                "rbac: {track_per_rule_stats: true, " + rules("DENY", "p: " + policy(kAny)) + "}");
  CHECK_FALSE(counted.get());
  CHECK(counted.counted("r.denied") == 1);
  CHECK(counted.counted("policy.p.denied") == 1);
}

std::string problems(const std::string& yaml) {
  World world;
  world.compile("{" + yaml + "}");
  return world.problems();
}

TEST_CASE("source_ip is the client of the connection, whatever the request says of it") {
  const auto admitted = [](const char* connection, const char* request) {
    Asked asked(rules("ALLOW", "p: " + policy(kAny, "{source_ip: {address_prefix: 10.0.0.0, prefix_len: 8}}")));
    stream::DownstreamFacts facts;
    facts.remote_address = connection;
    asked.info().downstream = &facts;
    asked.info().downstream_remote_address = request;
    asked.info().downstream_direct_remote_address = "192.0.2.1:80";
    const bool through = asked.get();
    asked.info().downstream = nullptr;
    return through;
  };

  CHECK(admitted("10.1.2.3:4", "192.0.2.9:5"));
  CHECK_FALSE(admitted("192.0.2.9:5", "10.1.2.3:4"));
  CHECK_FALSE(admitted("", "10.1.2.3:4"));
}

TEST_CASE("what cannot be decided is refused with its place") {
  const auto says = [](const std::string& yaml, const std::string& text) {
    CHECK_THAT(problems(yaml), Catch::Contains(text));
  };
  says(rules("ALLOW", "") + ", " + tree("ALLOW"), "matcher: stands beside rules");
  says(rules("ALLOW", "p: " + policy("{url_path: {path: {safe_regex: {regex: '('}}}}")),
       "permissions[0].url_path.path");
  says(rules("ALLOW", "p: " + policy(kAny, kAny, ", condition: {const_expr: {int64_value: 1}}")),
       "condition: is a condition and has to be a bool");
  const auto upstream = [](const std::string& fields) {
    return rules("ALLOW", "p: " + policy("{matcher: {name: a, typed_config: {'@type': type.googleapis.com/"
                                         "envoy.extensions.rbac.matchers.upstream_ip_port.v3.UpstreamIpPortMatcher" +
                                         fields + "}}}"));
  };
  says(upstream(""), "permissions[0].matcher.typed_config: needs upstream_ip or upstream_port_range");
  says(upstream(", upstream_port_range: {start: 80, end: 80}"), "upstream_port_range: is no range of ports");
  CHECK(problems(upstream(", upstream_port_range: {start: 80, end: 81}")) == "");
  says("shadow_rules: {audit_logging_options: {audit_condition: ON_DENY}}",
       "shadow_rules.audit_logging_options: tells of decisions, and a shadow decides nothing");
  says(
      "rules: {audit_logging_options: {audit_condition: ON_DENY, logger_configs: [{audit_logger: {name: a, "
      "typed_config: "
      "{'@type': type.googleapis.com/envoy.config.rbac.v3.Action, name: b}}}]}}",
      "here only envoy.extensions.rbac.audit_loggers.stream.v3.StdoutAuditLog is supported");
  const auto mtls = [](const std::string& fields) {
    return rules("ALLOW", "p: " + policy(kAny,
                                         "{custom: {name: c, typed_config: {'@type': type.googleapis.com/"
                                         "envoy.extensions.rbac.principals.mtls_authenticated.v3.Config" +
                                             fields + "}}}"));
  };
  CHECK(problems(mtls(", any_validated_client_certificate: true")) == "");
  CHECK(problems(mtls(", san_matcher: {san_type: URI, matcher: {prefix: 'spiffe://'}}")) == "");
  says(mtls(""), "typed_config: needs one of san_matcher and any_validated_client_certificate");
  says(mtls(", san_matcher: {san_type: OTHER_NAME, matcher: {exact: a}}"), "san_matcher.oid: is missing");
  CHECK(problems(mtls(", san_matcher: {san_type: OTHER_NAME, oid: 1.2.3, matcher: {exact: a}}")) == "");
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  const auto factory = world.compile("{" + rules("ALLOW", "p: " + policy(kAny)) + ", " +
                                     rules("DENY", "p: " + policy(kAny), "shadow_rules") + "}");
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{factory}; };

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::rbac
