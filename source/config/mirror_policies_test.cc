// Where copies of requests go, as configuration says it.
#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "source/base/arena.h"
#include "source/config/loader.h"
#include "source/config/route_compiler.h"
#include "source/config/validate.h"
#include "source/http/headers.h"

namespace sluice::config {
namespace {

struct Compiler {
  route::ClusterNames clusters;
  route::FilterSlots slots;
  runtime::Snapshot runtime;
  RouteCompilerDeps deps{.cluster_names = clusters,
                         .filter_slots = slots,
                         .cluster_exists = [](std::string_view name) { return name != "missing"; },
                         .runtime = &runtime};
  std::shared_ptr<const route::Table> table;

  // What is wrong with it.
  std::string compile(const std::string& yaml) {
    ErrorList errors;
    Positions positions;
    envoy::config::route::v3::RouteConfiguration config;
    Loader(errors, positions).loadText(yaml, Format::kYaml, "f.yaml", config);
    REQUIRE(errors.toString() == "");
    validate(config, Context(errors));
    if (errors.empty()) table = compileRouteTable(config, Context(errors), deps);
    return errors.toString();
  }
  std::string policy(const std::string& policy) {
    return compile("virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: a, " +
                   ("request_mirror_policies: [{" + policy + "}]}}]}]"));
  }
  const route::MirrorPolicies* mirrorsOf(std::string_view path) {
    base::Arena arena;
    http::RequestHeaders headers{arena};
    headers.method = "GET";
    headers.authority = "a";
    headers.path = path;
    return table->match(headers, 0).route->forward->mirrors;
  }
};

TEST_CASE("a policy says which cluster gets a copy, for how many requests, and how the copy differs") {
  Compiler t;
  CHECK(t.policy("cluster: m, runtime_fraction: {default_value: {numerator: 5, denominator: TEN_THOUSAND}}, "
                 "disable_shadow_host_suffix_append: true, host_rewrite_literal: b.com, request_headers_mutations: "
                 "[{remove: X-A}, {append: {header: {key: X-B, value: c}, append_action: ADD_IF_ABSENT}}]") == "");
  const route::MirrorPolicies* mirrors = t.mirrorsOf("/");
  REQUIRE(mirrors != nullptr);
  REQUIRE(mirrors->size() == 1);
  const route::MirrorPolicy& policy = mirrors->front();
  CHECK(policy.cluster == t.clusters.find("m"));
  CHECK(t.table->clusterName(policy.cluster) == "m");
  CHECK(policy.fraction == runtime::Fraction{5, 10'000});
  CHECK_FALSE(policy.shadow_host);
  CHECK(policy.host_rewrite == "b.com");
  REQUIRE(policy.changes.size() == 2);
  CHECK(policy.changes[0].remove == std::vector<std::string>{"x-a"});
  REQUIRE(policy.changes[1].add.size() == 1);
  CHECK(policy.changes[1].add[0].name == "x-b");
  CHECK(policy.changes[1].add[0].action == route::HeaderAddition::Action::kAddIfAbsent);
}

TEST_CASE("a policy that says nothing but a cluster copies all requests, under a host of its own") {
  Compiler t;
  CHECK(t.policy("cluster_header: X-To") == "");
  const route::MirrorPolicy& policy = t.mirrorsOf("/")->front();
  CHECK(policy.cluster_header == "x-to");
  CHECK(policy.cluster == route::kNoCluster);
  CHECK(policy.fraction.includes(UINT64_MAX));
  CHECK(policy.shadow_host);
}

TEST_CASE("the policies of a route replace those of its host, which replace those of the table") {
  Compiler t;
  CHECK(t.compile(R"(
request_mirror_policies: [{cluster: table}]
virtual_hosts:
- name: v
  domains: ['*']
  request_mirror_policies: [{cluster: host}, {cluster: host2}]
  routes:
  - {match: {path: /own}, route: {cluster: a, request_mirror_policies: [{cluster: route}]}}
  - {match: {path: /host}, route: {cluster: a}}
  - {match: {path: /too}, route: {cluster: a}}
)") == "");
  CHECK(t.mirrorsOf("/own")->front().cluster_name == "route");
  CHECK(t.mirrorsOf("/host")->size() == 2);
  CHECK(t.mirrorsOf("/host") == t.mirrorsOf("/too"));
  CHECK(t.table->clusterName(t.clusters.find("host2")) == "host2");

  CHECK(t.compile(R"(
request_mirror_policies: [{cluster: table}]
virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: a}}]}]
)") == "");
  CHECK(t.mirrorsOf("/")->front().cluster_name == "table");

  CHECK(t.compile("virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: a}}]}]") ==
        "");
  CHECK(t.mirrorsOf("/") == nullptr);
}

TEST_CASE("mistakes in a policy are told with their place") {
  Compiler t;
  t.deps.validate_clusters_by_default = true;
  const std::string at = "virtual_hosts[0].routes[0].route.request_mirror_policies[0]";
  const auto problem = [&](const std::string& policy, const std::string& where, const std::string& what) {
    const std::string errors = t.policy(policy);
    INFO(errors);
    CHECK(errors.find(at + where + ": ") != std::string::npos);
    CHECK(errors.find(what) != std::string::npos);
  };
  problem("cluster: m, cluster_header: x", "", "has both cluster and cluster_header");
  problem("disable_shadow_host_suffix_append: true", ".cluster", "is empty");
  problem("cluster: missing", ".cluster", "there is no cluster \"missing\"");
  problem("cluster: m, host_rewrite_literal: 'a/b'", ".host_rewrite_literal", "");
  problem("cluster: m, runtime_fraction: {}", ".runtime_fraction.default_value", "");
  problem("cluster: m, request_headers_mutations: [{remove: ':path'}]", ".request_headers_mutations[0].remove",
          "request line");
  problem("cluster: m, request_headers_mutations: [{append: {header: {key: content-length, value: '1'}}}]",
          ".request_headers_mutations[0].append.header.key", "belongs to the proxy");
  problem("cluster: m, request_headers_mutations: [{}]", ".request_headers_mutations[0]", "");
}

}  // namespace
}  // namespace sluice::config
