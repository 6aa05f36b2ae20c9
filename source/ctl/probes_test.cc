#include "source/ctl/probes.h"

#include <catch2/catch.hpp>

#include "source/config/loader.h"
#include "source/extensions/all.h"

namespace sluice::ctl {
namespace {

// A listener that is not compiled: probes are made of messages.
struct Messages final : explain::Configuration {
  explicit Messages(const std::string& routes) {
    const std::string yaml =
        "name: l\nfilter_chains:\n- filters:\n  - name: http\n    typed_config:\n      \"@type\": type.googleapis.com/"
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager\n      route_config: "
        "{virtual_hosts: [{name: v, domains: ['a.example', '*.b.example'], routes: [" +
        routes + "]}]}\n";
    config::Loader(errors, places).loadText(yaml, config::Format::kYaml, "t.yaml", proto);
    INFO(errors.toString());
    REQUIRE(errors.empty());
    compiled.name = "l";
  }
  std::vector<explain::Listener> listeners() const override { return {{.compiled = &compiled, .proto = &proto}}; }
  std::shared_ptr<const route::Table> tableOf(const route::TableSlot&) const override { return nullptr; }
  bool knowsAllRoutes() const override { return false; }
  std::optional<envoy::config::route::v3::RouteConfiguration> routesByName(const std::string&) const override {
    return std::nullopt;
  }
  std::shared_ptr<const route::ScopeIndex> scopesOf(const route::ScopesSlot&) const override { return nullptr; }
  std::optional<explain::Cluster> cluster(const std::string&) const override { return std::nullopt; }
  const config::Registry& registry() const override { return none; }
  const config::Positions* positions() const override { return nullptr; }

  config::Registry none;
  config::ErrorList errors;
  config::Positions places;
  envoy::config::listener::v3::Listener proto;
  config::CompiledListener compiled;
};

TEST_CASE("Each domain is asked for each route's path, what is beside it, and with what the route wants") {
  const Messages messages(
      "{match: {prefix: /api/, headers: [{name: ':method', string_match: {exact: PUT}}, "
      "{name: x-v, string_match: {exact: '2'}}]}}");
  size_t left_out = 0;

  const std::set<Probe> probes = probesOf(messages, left_out);

  CHECK(left_out == 0);
  for (const char* host : {"a.example", "any.b.example"}) {
    const std::string url = std::string("http://") + host;
    CHECK(probes.contains({"l", "GET " + url + "/", {}}));
    CHECK(probes.contains({"l", "PUT " + url + "/api/x", {"x-v: 2"}}));
    CHECK(probes.contains({"l", "GET " + url + "/api", {}}));
    CHECK(probes.contains({"l", "POST " + url + "/api/", {}}));
  }
}

TEST_CASE("A route without a path of its own is counted") {
  const Messages messages("{match: {safe_regex: {regex: '/[0-9]+'}}}");
  size_t left_out = 0;

  const std::set<Probe> probes = probesOf(messages, left_out);

  CHECK(left_out == 2);  // once for each domain
  CHECK(probes.size() == 2);
}

}  // namespace
}  // namespace sluice::ctl
