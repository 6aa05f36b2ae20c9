// How the cluster of a request is chosen where it is not the same for all requests of a route.

#include "source/config/sticky_split.h"

#include <catch2/catch.hpp>
#include <string>

#include "source/base/arena.h"
#include "source/base/xx_hash.h"
#include "source/config/loader.h"
#include "source/config/route_compiler.h"
#include "source/config/validate.h"
#include "source/stream/stream_info.h"

namespace sluice::config {
namespace {

struct Compiled {
  std::shared_ptr<const route::Table> table;
  std::string errors, warnings;
};

const std::string kRoute = "virtual_hosts[0].routes[0]";

// A route whose action has these fields.
Compiled compile(const std::string& action, const runtime::Snapshot* runtime = nullptr) {
  ErrorList errors;
  Positions positions;
  envoy::config::route::v3::RouteConfiguration config;
  Loader(errors, positions)
      .loadText("virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, route: {" + action + "}}]}]",
                Format::kYaml, "", config);
  Compiled out;
  route::ClusterNames clusters;
  route::FilterSlots slots;
  RouteCompilerDeps deps{clusters, slots, {}, {}};
  deps.runtime = runtime;
  if (errors.empty() && validate(config, Context(errors))) out.table = compileRouteTable(config, Context(errors), deps);
  out.errors = errors.toString();
  for (const ConfigError& warning : errors.warnings()) {
    if (warning.message.find("deprecated") == std::string::npos) out.warnings += warning.toString() + "\n";
  }
  return out;
}

// One whose cluster is found by a message of `type` with these fields.
Compiled split(const std::string& fields, const std::string& type = "sluice.route.v1.StickySplit") {
  return compile(
      "inline_cluster_specifier_plugin: {extension: {name: split, typed_config: {'@type': type.googleapis.com/" + type +
      ", " + fields + "}}}");
}

struct Request {
  base::Arena arena;
  http::RequestHeaders headers{arena};
  Request() { headers.path = "/"; }
};

const std::string kShares = "rollout: r, clusters: [{name: stable, weight: 95}, {name: canary, weight: 5}], ";
const std::string kPlace = kRoute + ".route.inline_cluster_specifier_plugin.extension.typed_config";

bool says(const std::string& fields, const std::string& path, const std::string& words) {
  const std::string errors = split(fields).errors;
  INFO(errors);
  const bool said = errors.find(kPlace + path) != std::string::npos && errors.find(words) != std::string::npos;
  CHECK(said);
  return said;
}

}  // namespace

TEST_CASE("a total_weight that is not the sum of the weights is a warning") {
  CHECK(compile("weighted_clusters: {clusters: [{name: a, weight: 1}], total_weight: 1}").warnings == "");
  CHECK(compile("weighted_clusters: {clusters: [{name: a, weight: 1}], total_weight: 100}").warnings ==
        kRoute +
            ".route.weighted_clusters.total_weight: is 100, but the weights sum to 1 and shares are parts of that; "
            "remove it, or correct the weights\n");
}

TEST_CASE("a request may name its cluster, in lower case of the header's name") {
  const Compiled out = compile("cluster_header: X-Cluster");
  REQUIRE(out.errors == "");
  Request request;
  request.headers.add("x-cluster", "missing");

  CHECK(out.table->match(request.headers, 0).clusterName() == "missing");
}

TEST_CASE("a share has either a name or a cluster_header") {
  const Compiled out = compile(
      "weighted_clusters: {header_name: X-Random, clusters: [{name: a, weight: 1}, {cluster_header: "
      "X-Cluster, weight: 1}]}");
  REQUIRE(out.errors == "");
  Request request;
  request.headers.add("x-cluster", "b");
  request.headers.add("x-random", "3");

  CHECK(out.table->match(request.headers, 0).clusterName() == "b");
  CHECK(compile("weighted_clusters: {clusters: [{name: a, cluster_header: b, weight: 1}]}").errors ==
        kRoute + ".route.weighted_clusters.clusters[0]: has both name and cluster_header; keep one of them");
}

TEST_CASE("runtime keys hold the weights of clusters by their names, if they are whole numbers") {
  const runtime::Snapshot runtime({{"canary.b", runtime::Value::ofNumber(3)},
                                   {"canary.c", runtime::Value::ofNumber(0.5)},
                                   {"canary.", runtime::Value::ofNumber(7)}});
  const Compiled out = compile(
      "weighted_clusters: {runtime_key_prefix: canary, clusters: [{name: a, weight: 1}, {name: b, weight: "
      "100}, {name: c, weight: 1}, {cluster_header: d, weight: 1}]}",
      &runtime);
  REQUIRE(out.errors == "");
  Request request;
  std::string drawn;

  for (uint64_t random = 0; random < 6; ++random) {
    const std::string_view name = out.table->match(request.headers, random).clusterName();
    drawn += name.empty() ? "-" : std::string(name);
  }

  CHECK(drawn == "abbbc-");
  CHECK(out.warnings.find("clusters[2].weight: the runtime key 'canary.c' is no whole number") != std::string::npos);
}

TEST_CASE("runtime keys do not leave a route without any weight") {
  const runtime::Snapshot runtime({{"canary.a", runtime::Value::ofNumber(0)}});

  CHECK(compile("weighted_clusters: {runtime_key_prefix: canary, clusters: [{name: a, weight: 1}]}", &runtime).errors ==
        kRoute +
            ".route.weighted_clusters.clusters: weights sum to 0; at least one cluster needs a weight of 1 or more");
}

TEST_CASE("a sticky split sends a user where every other proxy would") {
  const Compiled out = split(kShares + "keys: [{header: X-User}, {cookie: uid}, {source_address: true}]");
  REQUIRE(out.errors == "");
  Request request;
  request.headers.add("x-user", "");

  for (int i = 0; i < 200; ++i) {
    const std::string user = std::to_string(i);
    // The canary's share is the lower end of all points.
    const bool canary = route::StickySplit::pointOf("r", user) < UINT64_MAX / 100 * 5;
    request.headers.set(std::string_view("x-user"), user);
    CHECK(out.table->match(request.headers, 0).clusterName() == (canary ? "canary" : "stable"));
  }
}

TEST_CASE("a split may know users by the metadata that filters leave") {
  const Compiled out = split(kShares + "keys: [{metadata: {filter: jwt, path: [payload, sub]}}]");
  REQUIRE(out.errors == "");
  Request request;
  for (int i = 0; i < 200; ++i) {
    const std::string user = std::to_string(i);
    stream::StreamInfo info;
    info.metadata().set("jwt", "payload", {stream::MetadataFields{{"sub", {user}}}});
    route::Match match = out.table->match(request.headers, 0);

    route::Table::chooseByMetadata(request.headers, info, match);

    const bool canary = route::StickySplit::pointOf("r", user) < UINT64_MAX / 100 * 5;
    CHECK(match.clusterName() == (canary ? "canary" : "stable"));
  }
}

struct NoCookies : route::CookieSink {
  void addCookie(std::string_view) override {}
};

TEST_CASE("weighted clusters may be chosen by the hash of the route, and are warned of without one") {
  const std::string weights =
      "weighted_clusters: {use_hash_policy: true, clusters: [{name: a, weight: 1}, {name: b, weight: 1}]}";
  const Compiled out = compile(weights + ", hash_policy: [{header: {header_name: X-User}}]");
  REQUIRE(out.errors == "");
  CHECK(out.warnings == "");
  Request request;
  request.headers.add("x-user", "ada");
  const stream::StreamInfo info;
  NoCookies cookies;

  const bool second = base::xxHash64("ada") % 2 == 1;

  for (uint64_t random = 0; random < 4; ++random) {
    CHECK(out.table->match(request.headers, random, info, cookies).clusterName() == (second ? "b" : "a"));
  }
  CHECK(compile(weights).warnings == kRoute +
                                         ".route.weighted_clusters.use_hash_policy: does nothing without a "
                                         "hash_policy; add one to the route, or remove it\n");
  CHECK(
      compile("weighted_clusters: {use_hash_policy: true, header_name: a, clusters: [{name: a, weight: 1}]}").errors !=
      "");
}

TEST_CASE("shares of a split are those of weighted clusters, in their order whatever the points") {
  const Compiled out = split(
      "rollout: r, keys: [{source_address: true}], clusters: [{name: a, weight: 1, "
      "host_rewrite_literal: a.host}, {cluster_header: x-c, weight: 0}, {name: c, weight: 0}]");
  REQUIRE(out.errors == "");
  Request request;

  const route::Match match = out.table->match(request.headers, 0, "10.0.0.1:80");

  CHECK(match.clusterName() == "a");
  CHECK(match.choice->host_rewrite == "a.host");
  CHECK(out.table->clusters().size() == 2);
}

TEST_CASE("anonymous users get the cookie that is configured") {
  const Compiled out = split(kShares +
                             "anonymous_users: {cookie_name: id, ttl: 60s, path: /shop, secrets: [{inline_string: "
                             "0123456789abcdef}]}");
  REQUIRE(out.errors == "");
  Request request;

  const route::Match match = out.table->match(request.headers, 0);

  REQUIRE(match.own != nullptr);
  CHECK(match.own->set_cookie.ends_with("\"; Max-Age=60; Path=/shop; SameSite=Lax; HttpOnly"));
}

TEST_CASE("what a split cannot work with is an error of its field") {
  const std::string address = "keys: [{source_address: true}]";
  const std::string anonymous = kShares + "anonymous_users: {secrets: [{inline_string: 0123456789abcdef}], ";

  says(kShares, "", "tells no user from another; give it keys, or anonymous_users");
  says("clusters: [{name: a, weight: 1}], " + address, ".rollout", "");
  says("rollout: r, " + address, ".clusters", "");
  says("rollout: r, clusters: [{name: a, weight: 0}], " + address, ".clusters", "weights sum to 0");
  says("rollout: r, clusters: [{name: a, cluster_header: b, weight: 1}], " + address, ".clusters[0]", "keep one");
  says(kShares + "keys: [{}]", ".keys[0]", "");
  says(kShares + "keys: [{source_address: false}]", ".keys[0].source_address", "");
  says(kShares + "keys: [{metadata: {filter: a}}]", ".keys[0].metadata.path", "");
  says(kShares + "keys: [{metadata: {path: [a]}}]", ".keys[0].metadata.filter", "");
  says(kShares + "keys: [{metadata: {filter: a, path: ['']}}]", ".keys[0].metadata.path[0]", "");
  says(kShares + "keys: [{header: 'a b'}]", ".keys[0].header", "is no header name");
  says(kShares + "keys: [{cookie: 'a;b'}]", ".keys[0].cookie", "is no cookie's name");
  says(kShares + "anonymous_users: {cookie_name: id}", ".anonymous_users.secrets", "");
  says(kShares + "anonymous_users: {cookie_name: id, secrets: [{inline_string: short}]}", ".anonymous_users.secrets[0]",
       "has 5 bytes, which can be guessed");
  says(anonymous + "cookie_name: ':a'}", ".anonymous_users.cookie_name", "");
  says(anonymous + "cookie_name: a, ttl: 0.5s}", ".anonymous_users.ttl", "");
  says(anonymous + "cookie_name: a, path: '/;x'}", ".anonymous_users.path", "';'");
  says(anonymous + "cookie_name: a, path: x}", ".anonymous_users.path", "begin with '/'");
}

TEST_CASE("another message does not choose clusters") {
  CHECK(split("", "envoy.config.route.v3.NonForwardingAction").errors ==
        kPlace +
            ": envoy.config.route.v3.NonForwardingAction does not choose clusters; known: sluice.route.v1.StickySplit, "
            "envoy.extensions.router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier");
}

}  // namespace sluice::config
