// Upstream HTTP filters as configured: of clusters and of routers, and what routes say of them.
#include <algorithm>
#include <iterator>
#include <string_view>

#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "source/config/cluster_compiler.h"
#include "source/config/filter_routes.h"
#include "source/config/http_filter_factory.h"
#include "source/config/terminal_factory.h"
#include "source/extensions/test_all.h"
#include "source/filter/chain_config.h"

namespace sluice::extensions {
namespace {

// An entry of a list of HTTP filters.
std::string filterOf(const std::string& name, const std::string& message, const std::string& fields = "",
                     const std::string& rest = "") {
  return "{name: " + name + ", typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http." + message +
         fields + "}" + rest + "}";
}

const std::string kEnd = filterOf("end", "upstream_codec.v3.UpstreamCodec");
const std::string kBuffer = filterOf("buffer", "buffer.v3.Buffer", ", max_request_bytes: 10");
const std::string kAuthz = filterOf("authz", "ext_authz.v3.ExtAuthz",
                                    ", http_service: {server_uri: {uri: 'http://a/', cluster: a, timeout: 1s}}");

struct Compiled {
  std::shared_ptr<const filter::ChainConfig> chain;
  std::string problems, stats;
};

// A cluster with this list of filters.
Compiled compile(const std::string& list) {
  World world;
  envoy::config::cluster::v3::Cluster proto;
  const std::string yaml =
      "{name: 'a:b', typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: "
      "{'@type': type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, "
      "explicit_http_config: {http_protocol_options: {}}, http_filters: [" +
      list + "]}}}";
  if (!world.load(yaml, proto)) return {nullptr, world.problems(), ""};
  const auto cluster = config::compileCluster(proto, world.at, world.services);
  const std::string stats = *observability::renderText(world.stats, {});
  return {cluster ? cluster->http_filters : nullptr, world.problems(), stats};
}

std::string problems(const std::string& list) {
  return compile(list).problems;
}

TEST_CASE("a cluster's filters are those in front of the codec") {
  const Compiled compiled = compile(
      kBuffer + ", " + filterOf("b2", "buffer.v3.Buffer", ", max_request_bytes: 1", ", disabled: true") + ", " + kEnd);

  REQUIRE(compiled.chain);
  REQUIRE(compiled.chain->size() == 2);
  CHECK(compiled.chain->entries()[0].name == "buffer");
  CHECK_FALSE(compiled.chain->entries()[0].disabled);
  CHECK(compiled.chain->entries()[1].disabled);
}

TEST_CASE("a list of nothing but the codec costs nothing") {
  const Compiled compiled = compile(kEnd);

  CHECK(compiled.problems == "");
  CHECK_FALSE(compiled.chain);
}

TEST_CASE("the stats of a cluster's filters begin as the cluster's") {
  CHECK_SAYS(compile(kAuthz + ", " + kEnd).stats, "cluster.a_b.ext_authz.ok");
}

TEST_CASE("upstream filters end in the codec, and nothing stands behind it") {
  const std::string router = filterOf("r", "router.v3.Router");
  CHECK_SAYS(problems(kBuffer), "http_filters[0]: filter 'buffer' is the last; the chain has to end in");
  CHECK_SAYS(problems(kEnd + ", " + kBuffer), "http_filters[0]: filter 'end' ends the chain; nothing may stand behind");
  CHECK_SAYS(problems(kEnd + ", " + kEnd), "http_filters[0]: filter 'end' ends the chain");
  CHECK_SAYS(problems(router), "http_filters[0]: filter 'r' ends a connection manager's chain");
  CHECK_SAYS(problems("{name: x}, " + kEnd), "http_filters[0].typed_config: filter 'x' has no typed_config");
  CHECK_SAYS(problems(filterOf("end", "upstream_codec.v3.UpstreamCodec", "", ", disabled: true")),
             "http_filters[0].disabled: the end of the chain cannot be disabled");
  std::string many;
  for (int i = 0; i < 33; ++i) many += kBuffer + ", ";
  CHECK_SAYS(problems(many + kEnd), "http_filters: 33 filters; at most 32 are possible");
}

TEST_CASE("each kind of filter can be an upstream filter, or says why it cannot") {
  World world;
  for (const std::string_view type : world.registry.http_filters.configTypes()) {
    const std::string_view why = world.registry.http_filters.find(type)->upstreamRefusal();
    const auto is = [&](std::string_view name) { return type.find(name) != std::string_view::npos; };
    INFO(type);
    constexpr std::string_view kUpstream[] = {
        ".buffer.",     ".credential_injector.", "compressor.", ".fault.",    ".ext_authz.", ".ext_proc.",
        ".grpc_stats.", ".header_mutation.",     ".lua.",       "ratelimit.", ".rbac."};
    CHECK(why.empty() == std::any_of(std::begin(kUpstream), std::end(kUpstream), is));
  }
  CHECK_SAYS(problems(filterOf("w", "grpc_web.v3.GrpcWeb") + ", " + kEnd),
             "http_filters[0]: filter 'w' cannot be an upstream filter: it turns what a browser sends into gRPC");
}

TEST_CASE("an upstream filter may be discovered, if all of its types can be upstream filters") {
  const auto discovered = [](const std::string& type) {
    return "{name: d, config_discovery: {config_source: {ads: {}}, type_urls: "
           "[type.googleapis.com/envoy.extensions.filters.http." +
           type + "]}}";
  };

  const Compiled compiled = compile(discovered("buffer.v3.Buffer") + ", " + kEnd);
  CHECK(compiled.problems == "");
  REQUIRE(compiled.chain);
  CHECK(compiled.chain->size() == 1);
  CHECK_SAYS(problems(discovered("grpc_web.v3.GrpcWeb") + ", " + kEnd),
             "http_filters[0].config_discovery.type_urls[0]: cannot be an upstream filter");
  CHECK_SAYS(problems(discovered("buffer.v3.Buffer")), "http_filters[0]: filter 'd' is the last");
}

TEST_CASE("an optional upstream filter of an unknown type is left out") {
  const std::string unknown = "{name: u, is_optional: true, typed_config: {'@type': type.googleapis.com/x.Y}}";

  const Compiled compiled = compile(unknown + ", " + kBuffer + ", " + kEnd);

  CHECK(compiled.problems == "");
  REQUIRE(compiled.chain);
  CHECK(compiled.chain->size() == 1);
}

TEST_CASE("a router has upstream filters of its own") {
  World world;
  envoy::extensions::filters::http::router::v3::Router proto;
  const bool ends = GENERATE(true, false);
  REQUIRE(world.load("{upstream_http_filters: [" + kAuthz + (ends ? ", " + kEnd : "") + "]}", proto));

  const auto terminal =
      world.registry.terminals.find(proto.GetDescriptor()->full_name())->compile(proto, world.context("http.web."));

  REQUIRE(terminal);
  if (ends) {
    CHECK_SAYS(*observability::renderText(world.stats, {}), "http.web.ext_authz.ok");
  } else {
    CHECK_SAYS(world.problems(), "upstream_http_filters[0]: filter 'authz' is the last");
  }
}

TEST_CASE("a route's settings may be for an upstream filter, whose name its chain does not have") {
  const auto routes = [](World& world, const std::string& settings) {
    envoy::config::route::v3::RouteConfiguration proto;
    const config::ChainFilters chain{{"router", nullptr}};
    if (world.load("{name: r, virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, redirect: {}}], "
                   "typed_per_filter_config: {f: {'@type': type.googleapis.com/envoy.extensions.filters.http." +
                       settings + "}}}]}",
                   proto)) {
      config::compileRoutes(proto, world.at, world.services, &chain);
    }
  };
  World can, cannot;

  routes(can, "buffer.v3.BufferPerRoute, disabled: true");
  routes(cannot, "stateful_session.v3.StatefulSessionPerRoute, disabled: true");

  CHECK(can.problems() == "");
  REQUIRE(can.errors.warnings().size() == 1);
  CHECK_SAYS(can.errors.warnings()[0].message, "for upstream filters of that name only; it has 'router'");
  CHECK_SAYS(cannot.problems(), "no filter of the chain is named 'f'");
}

}  // namespace
}  // namespace sluice::extensions
