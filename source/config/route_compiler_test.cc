#include "source/config/route_compiler.h"

#include <cstdint>
#include <string>
#include <utility>

#include "envoy/extensions/filters/http/buffer/v3/buffer.pb.h"
#include "source/config/test_route_compiler.h"
#include "source/route/rate_limits.h"
#include "source/route/rewrite.h"
#include "source/stream/format_context.h"

namespace sluice::config {

TEST_CASE("a route configuration becomes a table") {
  Compiler compiler;
  const Compiled out = compiler.compile(R"(
name: edge
virtual_hosts:
- name: api
  domains: [api.example.com, "*.api.example.com"]
  routes:
  - name: users
    match: {safe_regex: {regex: "/users/[0-9]+"}}
    route: {weighted_clusters: {clusters: [{name: v1, weight: 0}, {name: v2, weight: 1}]}, timeout: 0s}
  - {match: {path: /old}, redirect: {path_redirect: /new, https_redirect: true, response_code: FOUND}}
  - match: {prefix: /, headers: [{name: X-Debug, string_match: {exact: "on"}}]}
    direct_response: {status: 418, body: {inline_string: teapot}}
  - match: {prefix: /}
    route: {cluster: web, idle_timeout: 0.0005s, priority: HIGH, cluster_not_found_response_code: NOT_FOUND}
)");
  REQUIRE(out.errors == "");
  Request users("/users/7", "API.example.com"), old("/old", "x.api.example.com"), debug("/x", "api.example.com"),
      web("/", "api.example.com"), unknown("/", "other");
  debug.headers.add("x-debug", "on");

  const route::Match to_users = out.table->match(users.headers, 0);
  const route::Match to_old = out.table->match(old.headers, 0);
  const route::Match to_debug = out.table->match(debug.headers, 0);
  const route::Match to_web = out.table->match(web.headers, 0);

  CHECK(to_users.route->name == "users");
  CHECK(out.table->clusterName(to_users.cluster()) == "v2");
  CHECK(to_users.route->forward->timeout == std::chrono::milliseconds(0));
  const stream::StreamInfo info;
  CHECK(route::redirectLocation(to_old, old.headers, {.info = info}) == "https://x.api.example.com/new");
  CHECK(to_old.route->redirect->status == 302);
  CHECK(to_debug.route->direct_response->status == 418);
  CHECK(to_debug.route->direct_response->body == "teapot");
  CHECK(to_web.cluster() == compiler.clusters.find("web"));
  CHECK_FALSE(to_web.route->forward->timeout.has_value());
  CHECK(to_web.route->forward->idle_timeout == std::chrono::milliseconds(1));
  CHECK(to_web.route->forward->high_priority);
  CHECK(to_web.route->forward->cluster_not_found_status == 404);
  CHECK_FALSE(out.table->match(unknown.headers, 0));
}

TEST_CASE("what a route says for filters and logs is kept under their names, and a route that says nothing has none") {
  Compiler compiler;
  const Compiled told =
      compiler.route(matching("prefix: /") + ", metadata: {filter_metadata: {com.acme: {team: web}}}");
  const Compiled silent = compiler.route(matching("prefix: /"));
  REQUIRE(told.errors == "");
  Request request("/");

  const route::Match match = told.table->match(request.headers, 0);

  REQUIRE(match.metadata());
  const stream::MetadataValue* team = stream::findMetadata(*match.metadata(), "com.acme", {"team"});
  REQUIRE(team);
  CHECK(std::get<std::string>(team->value) == "web");
  CHECK(silent.table->match(request.headers, 0).metadata() == nullptr);
}

TEST_CASE("virtual hosts say who has to come by TLS, and they and tables have metadata") {
  Compiler compiler;
  const Compiled out = compiler.compile(
      "{internal_only_headers: [X-Mine], metadata: {filter_metadata: {a: {b: 1}}}, virtual_hosts: [{name: v, domains: "
      "['*'], require_tls: EXTERNAL_ONLY, metadata: {filter_metadata: {c: {d: e}}}, routes: [{match: {prefix: /}, "
      "route: {cluster: web}}]}]}");
  REQUIRE(out.errors == "");
  Request stranger("/");
  Request internal("/");
  internal.headers.add("x-envoy-internal", "true");

  CHECK(out.table->match(stranger.headers, 0).route->redirect != nullptr);
  CHECK(out.table->match(internal.headers, 0).route->forward != nullptr);
  CHECK(out.table->match(stranger.headers, 0).hostMetadata() != nullptr);
  CHECK(out.table->metadata() != nullptr);
  REQUIRE(out.table->internalOnlyHeaders().size() == 1);
  CHECK(out.table->internalOnlyHeaders()[0] == "x-mine");
  CHECK(compiler.compile("{internal_only_headers: ['a b']}").errors.find("internal_only_headers[0]: is no header") !=
        std::string::npos);
}

TEST_CASE("virtual clusters and routes with a stat_prefix have stats of their own") {
  Compiler compiler;
  observability::StatsRegistry registry;
  compiler.deps.request_stats = [&registry](const std::string& host, std::string_view of, const std::string& name) {
    return route::RequestStats::make(registry, host, of, name);
  };
  const std::string host =
      "virtual_hosts: [{name: v, domains: ['*'], virtual_clusters: [{name: gets, headers: [{name: ':method', "
      "string_match: {exact: GET}}]}], routes: [{match: {prefix: /}, stat_prefix: all, route: {cluster: web}}]}]";
  const Compiled out = compiler.compile(host);
  REQUIRE(out.errors == "");
  Request request("/");

  const route::Match match = out.table->match(request.headers, 0);

  CHECK(route::virtualClusterOf(match.virtual_host->virtual_clusters, request.headers).name == "gets");
  request.headers.method = "POST";
  CHECK(route::virtualClusterOf(match.virtual_host->virtual_clusters, request.headers).name == "other");
  CHECK(match.route->stats != nullptr);
  CHECK(registry.valueOf("vhost.v.vcluster.gets.upstream_rq_total") == 0);
  CHECK(registry.valueOf("vhost.v.vcluster.other.upstream_rq_total") == 0);
  CHECK(registry.valueOf("vhost.v.route.all.upstream_rq_total") == 0);
  CHECK(compiler.compile("virtual_hosts: [{name: v, domains: ['*'], virtual_clusters: [{name: a}]}]")
            .errors.find("virtual_hosts[0].virtual_clusters[0].headers: are not set") != std::string::npos);
}

TEST_CASE("rate limits describe requests by address and query") {
  Compiler compiler;
  const auto limitOf = [&](const std::string& limit) {
    const Compiled out = compiler.route("match: {prefix: /}, route: {cluster: a, rate_limits: [" + limit + "]}");
    INFO(out.errors);
    REQUIRE(out.table != nullptr);
    Request request("/", "x");
    const auto match = out.table->match(request.headers, 0);
    const auto* settings = match.perFilter(compiler.slots.slotOf(route::kRateLimitsSlot));
    return dynamic_cast<const route::RouteRateLimits*>(settings)->of_route.at(0);
  };
  using Kind = route::RateLimitAction::Kind;
  const auto masked = limitOf(
      "{hits_addend: {number: 3}, actions: [{masked_remote_address: {v4_prefix_mask_len: 0, v6_prefix_mask_len: "
      "64}}]}");
  CHECK(masked.hits_addend == 3);
  CHECK(masked.actions[0].kind == Kind::kMaskedAddress);
  CHECK(masked.actions[0].v4_bits == 0);
  CHECK(masked.actions[0].v6_bits == 64);
  const auto whole = limitOf("{actions: [{masked_remote_address: {}}]}");
  CHECK_FALSE(whole.hits_addend);
  CHECK(whole.actions[0].v4_bits == 32);
  CHECK(whole.actions[0].v6_bits == 128);
  const auto match = limitOf(
      "{actions: [{remote_address_match: {descriptor_value: v, address_matcher: {invert_match: true, ranges: "
      "[{address_prefix: '10.0.0.0', prefix_len: 8}, {address_prefix: '::1', prefix_len: 128}]}}}]}");
  CHECK(match.actions[0].key == "remote_address_match");
  CHECK_FALSE(match.actions[0].expect_match);
  REQUIRE(match.actions[0].ranges.size() == 2);
  CHECK(match.actions[0].ranges[1].toString() == "::1/128");
  const auto host = limitOf(
      "{actions: [{request_headers: {header_name: Host, descriptor_key: h}}, {header_value_match: {descriptor_value: "
      "v, "
      "headers: [{name: Host}]}}]}");
  CHECK(host.actions[0].header == ":authority");
  CHECK(host.actions[1].headers[0].name == ":authority");
  const auto query = limitOf(
      "{actions: [{query_parameters: {query_parameter_name: q, descriptor_key: k, skip_if_absent: true}}, "
      "{query_parameter_value_match: {descriptor_value: v, expect_match: false, query_parameters: [{name: a, "
      "string_match: {exact: b}}]}}]}");
  CHECK(query.actions[0].parameter == "q");
  CHECK(query.actions[0].skip_if_absent);
  CHECK(query.actions[1].key == "query_match");
  CHECK_FALSE(query.actions[1].expect_match);
  CHECK(query.actions[1].query.at(0).matches("a=b"));
  CHECK(compiler
            .routeErrors("match: {prefix: /}, route: {cluster: a, rate_limits: [{actions: [{remote_address_match: "
                         "{descriptor_value: v, address_matcher: {ranges: [{address_prefix: '10.0.0.0', prefix_len: "
                         "33}]}}}]}]}")
            .find("ranges[0]: \"10.0.0.0/33\" is no range") != std::string::npos);
}

TEST_CASE("rate limits name metadata, formats, costs and limits of their own") {
  Compiler compiler;
  const auto listOf = [&](const std::string& limit) {
    const Compiled out = compiler.route("match: {prefix: /}, route: {cluster: a, rate_limits: [" + limit + "]}");
    INFO(out.errors);
    REQUIRE(out.table != nullptr);
    Request request("/", "x");
    const auto match = out.table->match(request.headers, 0);
    const auto* settings = match.perFilter(compiler.slots.slotOf(route::kRateLimitsSlot));
    return dynamic_cast<const route::RouteRateLimits*>(settings)->of_route;
  };
  using Kind = route::RateLimitAction::Kind;
  const std::string key = "metadata_key: {key: m, path: [{key: a}, {key: b}]}";
  const route::RateLimit all = listOf("{actions: [{metadata: {descriptor_key: k, " + key +
                                      ", source: ROUTE_ENTRY, default_value: d, skip_if_absent: true}}, "
                                      "{dynamic_metadata: {descriptor_key: k, " +
                                      key +
                                      "}}, {generic_key: {descriptor_value: '%REQ(x-a)%-1', default_value: e}}], "
                                      "limit: {rate_limit: {requests_per_unit: 4, unit: HOUR}}, "
                                      "hits_addend: {format: '%BYTES_RECEIVED%', is_negative_hits: true}, "
                                      "disable_key: k, apply_on_stream_done: true, x_ratelimit_option: OFF}")
                                   .at(0);
  CHECK(all.actions[0].kind == Kind::kRouteMetadata);
  CHECK(all.actions[0].metadata.filter == "m");
  CHECK(all.actions[0].metadata.path == std::vector<std::string>{"a", "b"});
  CHECK(all.actions[0].default_value == "d");
  CHECK(all.actions[0].skip_if_absent);
  CHECK(all.actions[1].kind == Kind::kDynamicMetadata);
  CHECK(all.actions[2].formatter != nullptr);
  CHECK(all.actions[2].default_value == "e");
  CHECK(all.limit == route::LimitOverride{4, 3});
  CHECK(all.hits_format != nullptr);
  CHECK(all.negative_hits);
  CHECK(all.has_disable_key);
  CHECK(all.enabled == runtime::Fraction{1, 1});
  CHECK(all.at_end);
  CHECK(all.quota_headers == route::QuotaHeaders::kOff);

  const auto errors = [&](const std::string& limit) {
    return compiler.routeErrors("match: {prefix: /}, route: {cluster: a, rate_limits: [" + limit + "]}");
  };
  CHECK(errors("{actions: [{metadata: {descriptor_key: k, " + key + ", source: CLUSTER_ENTRY}}]}")
            .find("metadata.source: is not known before a host is chosen") != std::string::npos);
  CHECK(errors("{actions: [{remote_address: {}}], hits_addend: {format: '%REQ(a)%%REQ(b)%'}}")
            .find("hits_addend.format: has to be one %OPERATOR%") != std::string::npos);
  CHECK(errors("{actions: [{remote_address: {}}], hits_addend: {number: 1, format: '%REQ(a)%'}}")
            .find("hits_addend: has both number and format") != std::string::npos);
  CHECK(errors("{actions: [{generic_key: {descriptor_value: '%NONE%'}}]}").find("generic_key.descriptor_value") !=
        std::string::npos);
}

TEST_CASE("a route says how long streams live, and what of grpc-timeout counts") {
  Compiler compiler;
  const auto forwardOf = [&](const std::string& inside) {
    Compiled out = compiler.route("name: r, match: {prefix: /}, route: {cluster: web, " + inside + "}");
    INFO(inside);
    REQUIRE(out.errors == "");
    Request request("/", "x");
    const route::Forward& forward = *out.table->match(request.headers, 0).route->forward;
    struct Said {
      std::optional<route::MaxStreamDuration> duration;
      std::optional<route::MaxGrpcTimeout> grpc;
      std::string warnings;
    } said;
    if (forward.max_stream_duration != nullptr) said.duration = *forward.max_stream_duration;
    if (forward.max_grpc_timeout != nullptr) said.grpc = *forward.max_grpc_timeout;
    said.warnings = out.warnings;
    return said;
  };
  using std::chrono::milliseconds;
  const auto none = forwardOf("");
  CHECK_FALSE(none.duration);
  CHECK_FALSE(none.grpc);
  const auto empty = forwardOf("max_stream_duration: {}");
  CHECK_FALSE(empty.duration->duration);
  CHECK_FALSE(empty.duration->grpc_header_max);
  const auto whole = forwardOf(
      "max_stream_duration: {max_stream_duration: 0s, grpc_timeout_header_max: 9s, grpc_timeout_header_offset: 0.5s}");
  CHECK(whole.duration->duration == milliseconds(0));
  CHECK(whole.duration->grpc_header_max == milliseconds(9000));
  CHECK(whole.duration->grpc_header_offset == milliseconds(500));
  const auto old = forwardOf("max_grpc_timeout: 2s, grpc_timeout_offset: 0.1s");
  CHECK(old.grpc->max == milliseconds(2000));
  CHECK(old.grpc->offset == milliseconds(100));
  const auto both = forwardOf("max_grpc_timeout: 2s, max_stream_duration: {max_stream_duration: 100000000000s}");
  CHECK_FALSE(both.grpc);
  CHECK(both.warnings.find("max_grpc_timeout: does nothing beside max_stream_duration") != std::string::npos);
  CHECK(both.duration->duration == std::chrono::hours(24 * 365 * 10));
  CHECK(forwardOf("grpc_timeout_offset: 1s").warnings.find("nothing without max_grpc_timeout") != std::string::npos);
  CHECK(brokenRules("match: {prefix: /}, route: {cluster: web, max_stream_duration: "
                    "{grpc_timeout_header_offset: -1s}}")
            .find("grpc_timeout_header_offset: is negative") != std::string::npos);
}

TEST_CASE("header values with operators are formatted for each request") {
  Compiler compiler;
  const Compiled out = compiler.compile(R"(
request_headers_to_add: [{header: {key: X-Path, value: "path %REQ(:PATH)%"}}, {header: {key: x-none, value: "%REQ(x)%"}}]
virtual_hosts:
- name: v
  domains: ["*"]
  routes:
  - match: {prefix: /a}
    route: {cluster: a, prefix_rewrite: /b}
    request_headers_to_remove: [X-Gone]
    response_headers_to_add: [{header: {key: x-a, value: " b "}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}]
)");
  REQUIRE(out.errors == "");
  Request request("/a/x?q");
  request.headers.add("x-gone", "1");
  const route::Match match = out.table->match(request.headers, 0);
  const stream::StreamInfo info{};
  const stream::FormatContext context{.request = &request.headers, .info = info};
  http::ResponseHeaders response(request.arena);
  response.add("x-a", "a");

  CHECK(route::finalizeRequest(match, request.headers, context));
  route::finalizeResponse(match, response, context);

  CHECK(request.headers.path == "/b/x?q");
  CHECK(request.headers.get("x-path") == "path /a/x?q");
  CHECK_FALSE(request.headers.get("x-none").has_value());
  CHECK_FALSE(request.headers.get("x-gone").has_value());
  CHECK(response.getAll("x-a") == "b");
}

TEST_CASE("a domain that two virtual hosts claim is an error that names both") {
  Compiler compiler;
  const Compiled out =
      compiler.compile("virtual_hosts: [{name: one, domains: [a.com]}, {name: two, domains: [A.com]}]");

  CHECK(out.errors ==
        "virtual_hosts[1].domains[0]: \"A.com\" of virtual host \"two\" belongs to virtual host \"one\" "
        "already; a domain may stand once in a route configuration");
}

TEST_CASE("domains have at most one star, at one end, and no bytes that hosts cannot hold") {
  Compiler compiler;

  CHECK(compiler.compile("virtual_hosts: [{name: v, domains: ['a.*.com', '*a*', '', 'a b', 'a/b', '*.a', 'a.*']}]")
            .errors ==
        "virtual_hosts[0].domains[0]: \"a.*.com\" has a star elsewhere than at one end; write *.example.com, "
        "example.* or *\n"
        "virtual_hosts[0].domains[1]: \"*a*\" has a star elsewhere than at one end; write *.example.com, example.* or "
        "*\n"
        "virtual_hosts[0].domains[2]: is empty; write a host name, or \"*\" for every host\n"
        "virtual_hosts[0].domains[3]: holds a byte that a host may not hold: no control characters, spaces or any of "
        "/?#@\n"
        "virtual_hosts[0].domains[4]: holds a byte that a host may not hold: no control characters, spaces or any of "
        "/?#@");
}

TEST_CASE("a bad regular expression is reported with RE2's words wherever it stands") {
  Compiler compiler;
  const std::string problem = "\"(\" is no regular expression that RE2 takes: missing ): (";

  CHECK(compiler.routeErrors(matching("safe_regex: {regex: '('}")) == kRoute + ".match.safe_regex.regex: " + problem);
  CHECK(compiler.routeErrors(matching("prefix: /, headers: [{name: a, string_match: {safe_regex: {regex: '('}}}]")) ==
        kRoute + ".match.headers[0].string_match.safe_regex.regex: " + problem);
  CHECK(compiler.routeErrors(matching("prefix: /, headers: [{name: a, safe_regex_match: {regex: '('}}]")) ==
        kRoute + ".match.headers[0].safe_regex_match.regex: " + problem);
  CHECK(compiler.routeErrors(forwarding("cluster: a, regex_rewrite: {pattern: {regex: '('}, substitution: x}")) ==
        kRoute + ".route.regex_rewrite.pattern.regex: " + problem);
}

TEST_CASE("a substitution may only use groups that its pattern has") {
  Compiler compiler;

  CHECK(compiler.routeErrors(forwarding("cluster: a, regex_rewrite: {pattern: {regex: '(a)'}, substitution: '\\2'}")) ==
        kRoute +
            ".route.regex_rewrite.substitution: does not fit the pattern: Rewrite schema requests 2 matches, but "
            "the regexp only has 1 parenthesized subexpressions.");
}

TEST_CASE("weights are all set and sum to something, whatever total_weight says") {
  Compiler compiler;

  CHECK(
      compiler.routeErrors(forwarding("weighted_clusters: {clusters: [{name: a, weight: 0}, {name: b, weight: 0}]}")) ==
      kRoute + ".route.weighted_clusters.clusters: weights sum to 0; at least one cluster needs a weight of 1 or more");
  CHECK(compiler.routeErrors(forwarding("weighted_clusters: {clusters: [{name: a}, {name: b, weight: 1}]}")) ==
        kRoute + ".route.weighted_clusters.clusters[0].weight: is not set; give the cluster its share, 0 for none");
  CHECK(compiler.routeErrors(
            forwarding("weighted_clusters: {clusters: [{name: a, weight: 4294967295}, {name: b, weight: 1}]}")) ==
        kRoute + ".route.weighted_clusters.clusters: weights sum to 4294967296; at most 4294967295 is possible");
  CHECK(compiler.routeErrors(forwarding("weighted_clusters: {clusters: [{name: a, weight: 1}], total_weight: 100}")) ==
        "");
  CHECK(compiler.routeErrors(forwarding("weighted_clusters: {clusters: [{weight: 1}]}")) ==
        kRoute + ".route.weighted_clusters.clusters[0].name: is empty; name the cluster that takes the requests");
}

TEST_CASE("bytes that would end a header are refused in names and values") {
  Compiler compiler;
  const std::string name = "is no header name; use letters, digits and !#$%&'*+-.^_`|~ only";

  CHECK(compiler.routeErrors(forwarding("cluster: a") +
                             ", request_headers_to_add: [{header: {key: \"a\\r\\nb\", value: c}}]") ==
        kRoute + ".request_headers_to_add[0].header.key: " + name);
  CHECK(compiler.routeErrors(forwarding("cluster: a") + ", response_headers_to_remove: [\"a b\", \"\"]") ==
        kRoute + ".response_headers_to_remove[0]: " + name + "\n" + kRoute + ".response_headers_to_remove[1]: " + name);
  CHECK(compiler.routeErrors(forwarding("cluster: a") +
                             ", response_headers_to_add: [{header: {key: a, value: \"b\\nc\"}}]") ==
        kRoute +
            ".response_headers_to_add[0].header.value: holds CR, LF or NUL, which would end the header; remove them");
  CHECK(
      compiler.routeErrors(forwarding("cluster: a") +
                           ", response_headers_to_add: [{header: {key: a, raw_value: \"YQBi\"}}]") ==
      kRoute +
          ".response_headers_to_add[0].header.raw_value: holds CR, LF or NUL, which would end the header; remove them");
}

TEST_CASE("the request line, the host and the framing are not for header mutations") {
  Compiler compiler;
  const std::string line =
      " is part of the request line and not changed by header mutations; use host_rewrite_literal, "
      "prefix_rewrite or regex_rewrite";

  CHECK(compiler.routeErrors(forwarding("cluster: a") + ", request_headers_to_remove: [Host, ':path']") ==
        kRoute + ".request_headers_to_remove[0]: \"Host\"" + line + "\n" + kRoute +
            ".request_headers_to_remove[1]: \":path\"" + line);
  CHECK(compiler.routeErrors(forwarding("cluster: a") +
                             ", request_headers_to_add: [{header: {key: Content-Length, value: '1'}}]") ==
        kRoute +
            ".request_headers_to_add[0].header.key: \"Content-Length\" says where a message ends and belongs to the "
            "proxy; remove this entry");
}

TEST_CASE("two ways to say the same are refused") {
  Compiler compiler;

  CHECK(compiler.routeErrors(
            forwarding("cluster: a, prefix_rewrite: /b, regex_rewrite: {pattern: {regex: a}, substitution: b}")) ==
        kRoute + ".route: has both prefix_rewrite and regex_rewrite, which rewrite the same path; keep one of them");
  CHECK(compiler.routeErrors(forwarding("cluster: a") +
                             ", request_headers_to_add: [{header: {key: a, value: b, raw_value: Yg==}}]") ==
        kRoute + ".request_headers_to_add[0].header: has both value and raw_value; keep one of them");
  CHECK(compiler.routeErrors(
            forwarding("cluster: a") +
            ", request_headers_to_add: [{header: {key: a, value: b}, append: true, append_action: ADD_IF_ABSENT}]") ==
        kRoute +
            ".request_headers_to_add[0]: has both append and append_action; keep append_action, which replaces append");
}

TEST_CASE("CONNECT may end at a route, other upgrades may not") {
  Compiler compiler;
  const std::string head = "match: {connect_matcher: {}}, route: {cluster: a, upgrade_configs: [{";
  const Compiled good = compiler.route(head + "upgrade_type: CONNECT, connect_config: {allow_post: true}}]}");
  REQUIRE(good.table != nullptr);
  base::Arena arena;
  http::RequestHeaders request(arena);
  request.method = "CONNECT";
  request.authority = "a:443";
  const route::Match match = good.table->match(request, 0);
  REQUIRE(match.route != nullptr);
  const route::UpgradeSpec& upgrade = match.route->forward->upgrades->at(0);
  CHECK(upgrade.ends_here);
  CHECK(upgrade.allow_post);

  CHECK(compiler.routeErrors(head + "upgrade_type: websocket, connect_config: {}}]}") ==
        kRoute + ".route.upgrade_configs[0].connect_config: is for CONNECT, not for 'websocket'; remove it, or set " +
            "upgrade_type to CONNECT");
}

TEST_CASE("what has to be there is missed") {
  Compiler compiler;

  CHECK(compiler.routeErrors("match: {}") == kRoute +
                                                 ".match: needs one of prefix, path, safe_regex, "
                                                 "path_separated_prefix, path_match_policy or connect_matcher\n" +
                                                 kRoute +
                                                 ": has no action; set one of route, redirect, direct_response or "
                                                 "non_forwarding_action");
  CHECK(compiler.routeErrors(forwarding("prefix_rewrite: /b")) ==
        kRoute + ".route: names no cluster; set one of cluster, cluster_header or weighted_clusters");
  CHECK(compiler.compile("virtual_hosts: [{name: v}]").errors ==
        "virtual_hosts[0].domains: needs at least one domain; \"*\" takes every host");
}

TEST_CASE("texts that go into messages hold nothing that splits them") {
  Compiler compiler;
  const std::string path = "holds a byte that a path may not hold: no control characters, spaces or any of #";
  const std::string host = "holds a byte that a host may not hold: no control characters, spaces or any of /?#@";

  CHECK(compiler.routeErrors(forwarding("cluster: a, prefix_rewrite: \"/a b\"")) ==
        kRoute + ".route.prefix_rewrite: " + path);
  CHECK(compiler.routeErrors(forwarding("cluster: a, host_rewrite_literal: \"a\\r\\nb\"")) ==
        kRoute + ".route.host_rewrite_literal: " + host);
  CHECK(compiler.routeErrors("match: {prefix: /}, redirect: {host_redirect: a/b, scheme_redirect: 'ht tp', "
                             "port_redirect: 65536, path_redirect: new}") ==
        kRoute + ".redirect.host_redirect: " + host + "\n" + kRoute +
            ".redirect.scheme_redirect: \"ht tp\" is no URI scheme; write http or https\n" + kRoute +
            ".redirect.port_redirect: is 65536; a port is at most 65535\n" + kRoute +
            ".redirect.path_redirect: has to begin with '/'; it would run into the host otherwise");
}

TEST_CASE("a direct response is final and its body within the limit") {
  Compiler compiler;
  const std::string body(4097, 'x');

  CHECK(compiler.routeErrors("match: {prefix: /}, direct_response: {status: 100}") ==
        kRoute + ".direct_response.status: is 100; a final status is 200 to 599");
  CHECK(
      compiler.routeErrors("match: {prefix: /}, direct_response: {status: 200, body: {inline_string: " + body + "}}") ==
      kRoute + ".direct_response.body: has 4097 bytes; max_direct_response_body_size_bytes allows 4096");
  CHECK(compiler
            .compile("max_direct_response_body_size_bytes: 5000\nvirtual_hosts: [{name: v, domains: ['*'], routes: "
                     "[{match: {prefix: /}, direct_response: {status: 200, body: {inline_string: " +
                     body + "}}}]}]")
            .errors == "");
}

TEST_CASE("clusters are checked when validate_clusters says so") {
  Compiler compiler;
  const std::string hosts =
      "virtual_hosts: [{name: v, domains: ['*'], routes: [{" + forwarding("cluster: missing") + "}]}]";
  const std::string error = kRoute +
                            ".route.cluster: there is no cluster \"missing\"; add it, correct the name, or set "
                            "validate_clusters: false";

  CHECK(compiler.compile(hosts).errors == "");
  CHECK(compiler.compile("validate_clusters: true\n" + hosts).errors == error);
  compiler.deps.validate_clusters_by_default = true;
  CHECK(compiler.compile(hosts).errors == error);
  CHECK(compiler.compile("validate_clusters: false\n" + hosts).errors == "");
}

TEST_CASE("matchers that cannot work are refused or warned of") {
  Compiler compiler;

  CHECK(compiler.routeErrors(matching("prefix: /, headers: [{name: ':status', present_match: true}]")) ==
        kRoute +
            ".match.headers[0].name: \":status\" is no pseudo-header of requests; those are :method, :path, "
            ":authority and :scheme");
  CHECK(compiler.routeErrors(matching(
            "prefix: /, query_parameters: [{name: a, string_match: {safe_regex: {regex: a}, ignore_case: true}}]")) ==
        kRoute +
            ".match.query_parameters[0].string_match.ignore_case: does not apply to safe_regex; write (?i) before "
            "the expression");
  CHECK(compiler.route(matching("prefix: '/a?b'")).warnings ==
        kRoute +
            ".match.prefix: holds '?' or '#' and matches nothing: paths are compared without query and fragment; use "
            "query_parameters for the query\n");
  CHECK(compiler.route(matching("safe_regex: {regex: a}, case_sensitive: false")).warnings ==
        kRoute + ".match.case_sensitive: does not apply to safe_regex; write (?i) before the expression\n");
}

TEST_CASE("negative timeouts are refused") {
  CHECK(brokenRules(forwarding("cluster: a, timeout: -1s")) ==
        kRoute + ".route.timeout: is negative; a duration is 0s or longer (duration.gte)");
}

TEST_CASE("an unknown operator in a header value is refused where it stands") {
  Compiler compiler;
  const std::string errors = compiler.routeErrors(
      forwarding("cluster: a") + ", request_headers_to_add: [{header: {key: a, value: '%NO_SUCH_OPERATOR%'}}]");

  CHECK(errors.find(kRoute + ".request_headers_to_add[0].header.value: ") == 0);
  CHECK(errors.find("NO_SUCH_OPERATOR") != std::string::npos);
}

TEST_CASE("rate limits of hosts and routes lie where the filter finds them") {
  Compiler compiler;
  const Compiled out = compiler.compile(
      "virtual_hosts: [{name: v, domains: ['*'], rate_limits: [{actions: [{remote_address: {}}]}], routes: ["
      "{match: {prefix: /a}, route: {cluster: a, rate_limits: [{stage: 2, actions: [{generic_key: {descriptor_value: "
      "x}}, "
      "{header_value_match: {descriptor_value: b, headers: [{name: X-A}]}}]}]}}, "
      "{match: {prefix: /}, route: {cluster: a}}]}]");
  REQUIRE(out.errors == "");
  const auto limitsOf = [&](std::string_view path) {
    const Request request(path);
    const auto* found = out.table->match(request.headers, 0).perFilter(compiler.slots.slotOf(route::kRateLimitsSlot));
    return dynamic_cast<const route::RouteRateLimits*>(found);
  };

  const auto* with_own = limitsOf("/a");
  REQUIRE(with_own != nullptr);
  REQUIRE(with_own->of_route.size() == 1);
  CHECK(with_own->of_route[0].stage == 2);
  CHECK(with_own->of_route[0].actions[0].key == "generic_key");
  CHECK(with_own->of_route[0].actions[1].headers[0].name == "x-a");
  CHECK(with_own->of_host->size() == 1);
  CHECK(limitsOf("/")->of_route.empty());
  CHECK(limitsOf("/")->of_host->size() == 1);
}

TEST_CASE("a hash policy becomes terms, and a cookie's attributes one text") {
  Compiler compiler;
  const Compiled out = compiler.route(forwarding(
      "cluster: a, hash_policy: [{header: {header_name: X-User, regex_rewrite: {pattern: {regex: '-.*'}}}}, "
      "{header: {header_name: Host}, terminal: true}, "
      "{cookie: {name: sid, ttl: 60s, path: /p, attributes: [{name: SameSite, value: Strict}, {name: Secure}]}}, "
      "{cookie: {name: of_session, ttl: 0s}}, {cookie: {name: theirs}}, {connection_properties: {source_ip: true}}, "
      "{query_parameter: {name: q}}, {filter_state: {key: k}}]"));
  REQUIRE(out.errors == "");
  Request request("/");
  const route::HashPolicy& policy = *out.table->match(request.headers, 0).route->forward->hash_policy;
  using Kind = route::HashTerm::Kind;

  REQUIRE(policy.size() == 8);
  CHECK(policy[0].name == "x-user");
  CHECK(policy[0].pattern != nullptr);
  CHECK_FALSE(policy[0].terminal);
  CHECK(policy[1].name == ":authority");
  CHECK(policy[1].terminal);
  CHECK(policy[2].makes_cookie);
  CHECK(policy[2].cookie_attributes == "; Max-Age=60; Path=/p; SameSite=Strict; Secure; HttpOnly");
  CHECK(policy[3].cookie_attributes == "; HttpOnly");
  CHECK_FALSE(policy[4].makes_cookie);
  CHECK(policy[5].kind == Kind::kSourceIp);
  CHECK(policy[6].kind == Kind::kQueryParameter);
  CHECK(policy[7].kind == Kind::kFilterState);
  CHECK(policy[7].name == "k");
  CHECK(compiler.route(forwarding("cluster: a")).table->match(request.headers, 0).route->forward->hash_policy ==
        nullptr);
}

TEST_CASE("a hash policy that cannot be is refused, and one of nothing is warned of") {
  Compiler compiler;
  const auto errors = [&](const std::string& term) {
    return compiler.routeErrors(forwarding("cluster: a, hash_policy: [" + term + "]"));
  };
  const std::string at = kRoute + ".route.hash_policy[0].";

  CHECK(errors("{cookie: {name: 'a b'}}") ==
        at + "cookie.name: is no cookie's name; use letters, digits and !#$%&'*+-.^_`|~ only");
  CHECK(brokenRules(forwarding("cluster: a, hash_policy: [{cookie: {name: a, ttl: -1s}}]")) ==
        at + "cookie.ttl: is negative; a duration is 0s or longer (duration.gte)");
  CHECK(errors("{cookie: {name: a, ttl: 1s, path: '/;x'}}") ==
        at + "cookie.path: may not hold ';' or control bytes: it becomes a part of a set-cookie header");
  CHECK(errors("{header: {header_name: a, regex_rewrite: {pattern: {regex: '('}}}}").find(at) == 0);
  CHECK(compiler.route(forwarding("cluster: a, hash_policy: [{connection_properties: {}}]"))
            .warnings.find("connection_properties: does nothing without source_ip: true") != std::string::npos);
}

TEST_CASE("what the metadata of hosts shall be stands with the route, and a weighted cluster goes over it") {
  Compiler compiler;
  const std::string match = "metadata_match: {filter_metadata: {envoy.lb: ";
  const Compiled out =
      compiler.route(forwarding(match +
                                "{stage: prod, version: '1'}, other: {x: y}}}, weighted_clusters: {clusters: "
                                "[{name: a, weight: 1}, {name: b, weight: 1, " +
                                match + "{version: '2'}}}}]}"));
  REQUIRE(out.errors == "");
  Request request("/");
  const stream::MetadataCriterion one("version", {std::string("1")}), two("version", {std::string("2")});

  const auto criteria = [&](uint64_t random) {
    return out.table->match(request.headers, random).metadataMatch()->criteria();
  };

  REQUIRE(criteria(0).size() == 2);
  CHECK(criteria(0)[1] == one);
  REQUIRE(criteria(1).size() == 2);
  CHECK(criteria(1)[0].key == "stage");
  CHECK(criteria(1)[1] == two);
  CHECK(compiler.route(forwarding("cluster: a")).table->match(request.headers, 0).metadataMatch() == nullptr);
  CHECK(compiler.route(forwarding("cluster: a, metadata_match: {filter_metadata: {x: {y: z}}}"))
            .table->match(request.headers, 0)
            .metadataMatch() == nullptr);
}

TEST_CASE("settings of filters are compiled by the filter, and FilterConfig is unwrapped") {
  Compiler compiler;
  const std::string type = "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.BufferPerRoute";
  const std::string buffer = "{'@type': " + type + ", disabled: true}";
  const std::string wrapper = "'@type': type.googleapis.com/envoy.config.route.v3.FilterConfig";
  const Compiled out =
      compiler.route(forwarding("cluster: a") + ", typed_per_filter_config: {plain: " + buffer + ", wrapped: {" +
                     wrapper + ", config: " + buffer + "}, off: {" + wrapper + ", disabled: true}}");
  REQUIRE(out.errors == "");
  Request request("/");
  const route::Match match = out.table->match(request.headers, 0);

  CHECK(dynamic_cast<const Setting&>(*match.perFilter(compiler.slots.slotOf("plain"))).type == type);
  CHECK(dynamic_cast<const Setting&>(*match.perFilter(compiler.slots.slotOf("wrapped"))).type == type);
  CHECK(match.filterEntry(compiler.slots.slotOf("off"))->disabled());
  CHECK(match.perFilter(compiler.slots.slotOf("off")) == nullptr);
  CHECK(compiler.routeErrors(forwarding("cluster: a") + ", typed_per_filter_config: {empty: {" + wrapper + "}}") ==
        kRoute +
            ".typed_per_filter_config[\"empty\"]: has neither config nor disabled: true, so it says nothing; set "
            "one of them (`config: {}` switches the filter on) or remove it");
}

TEST_CASE("an empty config switches a filter on, with the settings of the level above") {
  Compiler compiler;
  const std::string wrapper = "'@type': type.googleapis.com/envoy.config.route.v3.FilterConfig";
  const std::string settings =
      "'@type': type.googleapis.com/envoy.extensions.filters.http.buffer.v3.BufferPerRoute, "
      "disabled: true";
  const Compiled out =
      compiler.compile("virtual_hosts: [{name: v, domains: ['*'], typed_per_filter_config: {f: {" + settings +
                       "}}, routes: [{" + forwarding("cluster: a") + ", typed_per_filter_config: {f: {" + wrapper +
                       ", config: {}}, unknown: {" + wrapper + ", is_optional: true, config: {'@type': a/b.C}}}}]}]");
  REQUIRE(out.errors == "");
  Request request("/");
  const route::Match match = out.table->match(request.headers, 0);
  const route::FilterSlot slot = compiler.slots.slotOf("f");

  REQUIRE(match.filterEntry(slot) != nullptr);
  CHECK_FALSE(match.filterEntry(slot)->disabled());
  CHECK_FALSE(match.filterEntry(slot)->hasSettings());
  CHECK(dynamic_cast<const Setting*>(match.perFilter(slot)) != nullptr);
  CHECK_FALSE(match.filterEntry(compiler.slots.slotOf("unknown"))->disabled());
}

TEST_CASE("every error of a table is reported, not the first one only") {
  Compiler compiler;
  const std::string errors = compiler
                                 .compile(
                                     "virtual_hosts: [{name: v, domains: ['a*b'], routes: [{match: {safe_regex: "
                                     "{regex: '('}}, route: {weighted_clusters: {clusters: []}}}]}]")
                                 .errors;

  CHECK(std::count(errors.begin(), errors.end(), '\n') == 2);
}

// Of the first route, and of the first share of its cluster if it has some.
std::pair<uint64_t, uint64_t> fingerprintsOf(const std::string& yaml) {
  const Compiled compiled = Compiler().compile(yaml);
  REQUIRE(compiled.errors == "");
  const route::Route& route = compiled.table->virtualHosts()[0].routes[0];
  const route::ClusterChoice* const choice = route.forward->choice;
  return {route.fingerprint, choice == nullptr ? 0 : choice->weighted[0].fingerprint};
}

// A table with one route, and what its levels say besides, each a list of fields that ends in a comma.
struct Levels {
  std::string table, host, route, action, cluster = "cluster: a";
  std::pair<uint64_t, uint64_t> fingerprints() const {
    return fingerprintsOf("{" + table + "virtual_hosts: [{name: v, domains: [a], " + host +
                          "routes: [{match: {prefix: /}, " + route + "route: {" + action + cluster + "}}]}]}");
  }
};

TEST_CASE("routes that make the same of requests have the same fingerprint, whatever else they say") {
  const auto plain = Levels().fingerprints();
  CHECK(plain.first != 0);
  CHECK(Levels{.table = "name: t, ", .host = "require_tls: ALL, ", .route = "name: r, "}.fingerprints() == plain);
  CHECK(Levels{.action = "timeout: 1s, idle_timeout: 1s, priority: HIGH, "}.fingerprints() == plain);
  CHECK(Levels{.action = "retry_policy: {retry_on: 5xx}, ", .cluster = "cluster: b"}.fingerprints() == plain);
  CHECK(fingerprintsOf("virtual_hosts: [{name: w, domains: [b, c], routes: [{match: {path: /x}, "
                       "route: {cluster: a}}, {match: {prefix: /}, redirect: {}}]}]") == plain);
}

TEST_CASE("routes that make something else of requests have another fingerprint") {
  const auto plain = Levels().fingerprints();
  const std::string header = "request_headers_to_add: [{header: {key: x, value: one}}], ";
  const std::string per_filter =
      "typed_per_filter_config: {f: {\"@type\": type.googleapis.com/"
      "envoy.extensions.filters.http.buffer.v3.BufferPerRoute, disabled: true}}, ";
  const std::string metadata = "metadata: {filter_metadata: {f: {a: b}}}, ";
  for (const std::string& said : {header, per_filter, metadata}) {
    CAPTURE(said);
    CHECK(Levels{.table = said}.fingerprints() != plain);
    CHECK(Levels{.host = said}.fingerprints() != plain);
    CHECK(Levels{.route = said}.fingerprints() != plain);
  }
  for (const char* action :
       {"metadata_match: {filter_metadata: {envoy.lb: {a: b}}}, ", "prefix_rewrite: /b, ", "host_rewrite_literal: b, ",
        "auto_host_rewrite: true, ", "internal_redirect_policy: {}, ", "append_x_forwarded_host: true, "}) {
    CAPTURE(action);
    CHECK(Levels{.action = action}.fingerprints() != plain);
  }
}

TEST_CASE("shares of a weighted cluster have fingerprints of their own") {
  const auto of = [](const std::string& share) {
    return Levels{.cluster = "weighted_clusters: {clusters: [{" + share + "}]}"}.fingerprints();
  };
  const auto plain = of("name: a, weight: 1");
  CHECK(plain.first == Levels().fingerprints().first);
  CHECK(of("name: b, weight: 2") == plain);
  const auto other = of("name: a, weight: 1, metadata_match: {filter_metadata: {envoy.lb: {a: b}}}");
  CHECK(other.first == plain.first);
  CHECK(other.second != plain.second);
  CHECK(of("name: a, weight: 1, host_rewrite_literal: b").second != plain.second);
}

TEST_CASE("a rollout that goes on leaves fingerprints as they are") {
  const std::string plugin =
      "extension: {name: s, typed_config: {\"@type\": type.googleapis.com/sluice.route.v1.StickySplit, rollout: r, "
      "keys: [{header: x-user}], clusters: [{name: a, weight: 9}, {name: b, weight: ";
  const auto plain = Levels().fingerprints();
  for (const char* weight : {"1", "2"}) {
    const std::string at = plugin + weight + "}]}}";
    CHECK(Levels{.cluster = "inline_cluster_specifier_plugin: {" + at + "}"}.fingerprints().first == plain.first);
    CHECK(Levels{.table = "cluster_specifier_plugins: [{" + at + "}], ", .cluster = "cluster_specifier_plugin: s"}
              .fingerprints()
              .first == plain.first);
  }
}

}  // namespace sluice::config
