// What tests of compiled routes share.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <catch2/catch.hpp>

#include "source/base/arena.h"
#include "source/config/loader.h"
#include "source/config/route_compiler.h"
#include "source/config/validate.h"
#include "source/http/headers.h"

namespace sluice::config {

struct Compiled {
  std::shared_ptr<const route::Table> table;
  std::string errors;
  std::string warnings;
};

struct Setting : route::PerFilterConfig {
  explicit Setting(std::string type) : type(std::move(type)) {}
  std::string type;
};

struct Compiler {
  route::ClusterNames clusters;
  route::FilterSlots slots;
  RouteCompilerDeps deps{
      .cluster_names = clusters,
      .filter_slots = slots,
      .compile_filter_config = [](std::string_view, const google::protobuf::Any& any, const route::SettingsLevel&,
                                  const Context&) { return std::make_shared<const Setting>(any.type_url()); },
      .cluster_exists = [](std::string_view name) { return name != "missing"; }};

  Compiled compile(const std::string& yaml) {
    ErrorList errors;
    Positions positions;
    envoy::config::route::v3::RouteConfiguration config;
    Loader(errors, positions).loadText(yaml, Format::kYaml, "f.yaml", config);
    REQUIRE(errors.toString() == "");
    Compiled out;
    out.table = compileRouteTable(config, Context(errors), deps);
    out.errors = errors.toString();
    for (const ConfigError& warning : errors.warnings()) out.warnings += warning.toString() + "\n";
    CHECK((out.table == nullptr) == !errors.empty());
    return out;
  }

  // One virtual host with one route, given as the inside of a flow mapping.
  Compiled route(const std::string& route) {
    return compile("virtual_hosts: [{name: v, domains: ['*'], routes: [{" + route + "}]}]");
  }

  std::string routeErrors(const std::string& text) { return route(text).errors; }
};

// What the rules of messages say of a route, behind which the compiler runs.
inline std::string brokenRules(const std::string& route) {
  ErrorList errors;
  Positions positions;
  envoy::config::route::v3::RouteConfiguration config;
  const std::string yaml = "virtual_hosts: [{name: v, domains: ['*'], routes: [{" + route + "}]}]";
  Loader(errors, positions).loadText(yaml, Format::kYaml, "f.yaml", config);
  REQUIRE(errors.toString() == "");
  validate(config, Context(errors));
  return errors.toString();
}

inline std::string forwarding(const std::string& action) {
  return "match: {prefix: /}, route: {" + action + "}";
}
inline std::string matching(const std::string& match) {
  return "match: {" + match + "}, route: {cluster: a}";
}

inline const std::string kRoute = "virtual_hosts[0].routes[0]";

struct Request {
  base::Arena arena;
  http::RequestHeaders headers{arena};
  explicit Request(std::string_view path, std::string_view authority = "a.com") {
    headers.method = "GET";
    headers.scheme = "http";
    headers.path = path;
    headers.authority = authority;
  }
};

}  // namespace sluice::config
