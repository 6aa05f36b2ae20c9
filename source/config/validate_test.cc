#include "source/config/validate.h"

#include <string>

#include <catch2/catch.hpp>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/filters/http/buffer/v3/buffer.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/type/matcher/v3/string.pb.h"

#include "source/config/factory.h"
#include "source/config/loader.h"
#include "source/config/values.h"

namespace sluice::config {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::config::route::v3::RouteConfiguration;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;

// Loads `text` as a Message and validates it; what is wrong, one line each.
template <typename Message>
std::string problems(const std::string& text) {
  ErrorList errors;
  Positions positions;
  Message message;
  Loader(errors, positions).loadText(text, Format::kYaml, "f.yaml", message);
  REQUIRE(errors.toString() == "");
  const bool valid = validate(message, Context(errors, &positions));
  CHECK(valid == errors.empty());
  return errors.toString();
}

TEST_CASE("a string rule is checked on an empty field and reported where its message stands") {
  CHECK(problems<Cluster>("type: STATIC") ==
        "f.yaml:1:1: name: must not be empty; give it a value (string.min_len: 1)");
}

TEST_CASE("ranges of numbers and durations are checked with their values in the message") {
  CHECK(problems<Cluster>("{name: a, connect_timeout: 0s}") ==
        "f.yaml:1:11: connect_timeout: must be more than 0s, is 0s (duration.gt: 0s)");
  CHECK(problems<envoy::config::core::v3::SocketAddress>("{address: a, port_value: 65536}") ==
        "f.yaml:1:14: port_value: must be at most 65535, is 65536 (uint32.lte: 65535)");
  CHECK(problems<Cluster>("{name: a, least_request_lb_config: {choice_count: 1}}") ==
        "f.yaml:1:37: least_request_lb_config.choice_count: must be at least 2, is 1 (uint32.gte: 2)");
}

TEST_CASE("typed metadata is let through but for extensions of Envoy that would miss it") {
  const std::string any = "{'@type': type.googleapis.com/google.protobuf.StringValue, value: v}";
  CHECK(problems<envoy::config::core::v3::Metadata>("{typed_filter_metadata: {com.acme: " + any + "}}") == "");
  CHECK(problems<envoy::config::core::v3::Metadata>("{typed_filter_metadata: {envoy.stats_matcher: " + any + "}}")
            .find("is for an extension of Envoy that does not read it here") != std::string::npos);
  CHECK(problems<envoy::config::core::v3::Metadata>("{typed_filter_metadata: {'': " + any + "}}")
            .find("must not be empty") != std::string::npos);
}

// The same for a text of which not every value can be read.
template <typename Message>
std::string allProblems(const std::string& text) {
  ErrorList errors;
  Positions positions;
  Message message;
  Loader(errors, positions).loadText(text, Format::kYaml, "f.yaml", message);
  CHECK_FALSE(validate(message, Context(errors, &positions)));
  return errors.toString();
}

TEST_CASE("of a value that could not be read no rule says anything more") {
  CHECK(allProblems<Cluster>("{name: a, connect_timeout: .5s}") ==
        "f.yaml:1:28: connect_timeout: \".5s\" is not a duration; a duration is a number of seconds with its unit, "
        "such as "
        "\"0.25s\" or \"30s\"");
  CHECK(allProblems<Cluster>("{name: [a]}") == "f.yaml:1:8: name: expected a string, found a list");
  CHECK_THAT(allProblems<Cluster>("{ring_hash_lb_config: {minimum_ring_size: 99999999999999999999}}"),
             Catch::Contains("expected an integer from 0 to 18446744073709551615, found \"99999999999999999999\""));
  CHECK(allProblems<Cluster>("{name: a, transport_socket: 5}") ==
        "f.yaml:1:29: transport_socket: expected a mapping of TransportSocket's fields, found 5");
}

TEST_CASE("a list or a choice of which a part could not be read is not told to lack it") {
  CHECK(allProblems<envoy::type::matcher::v3::ListStringMatcher>("{patterns: [{exact: [a]}]}") ==
        "f.yaml:1:21: patterns[0].exact: expected a string, found a list");
  CHECK(allProblems<envoy::config::core::v3::Address>("{socket_address: {address: a, port_value: b}}") ==
        "f.yaml:1:43: socket_address.port_value: expected an integer from 0 to 4294967295, found \"b\"");
}

TEST_CASE("a value that can be read is checked beside one that cannot") {
  CHECK_THAT(allProblems<Cluster>("{name: '', connect_timeout: .5s}"), Catch::Contains("name: must not be empty"));
}

TEST_CASE("a member of a oneof that is not supported is one error, not two") {
  ErrorList errors;
  Positions positions;
  envoy::config::bootstrap::v3::Bootstrap bootstrap;
  Loader(errors, positions)
      .loadText("layered_runtime: {layers: [{name: r, rtds_layer: {name: r, rtds_config: {ads: {}}}}]}", Format::kYaml,
                "f.yaml", bootstrap);
  validate(bootstrap, Context(errors, &positions));

  CHECK(errors.toString() ==
        "f.yaml:1:38: layered_runtime.layers[0].rtds_layer: is a field of Envoy's RuntimeLayer that is not supported "
        "here yet; remove it");
}

TEST_CASE("what is not served is refused by name, once") {
  const auto errorsOf = [](auto message, const std::string& text) {
    ErrorList errors;
    Positions positions;
    Loader(errors, positions).loadText(text, Format::kYaml, "f.yaml", message);
    validate(message, Context(errors, &positions));
    INFO(errors.toString());
    CHECK(errors.total() == 1);
    return errors.toString();
  };
  using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
  CHECK(
      errorsOf(HttpConnectionManager(), "{stat_prefix: a, route_config: {}, typed_header_validation_config: {name: s}}")
          .find("typed_header_validation_config: is a field of Envoy's HttpConnectionManager") != std::string::npos);
  CHECK(errorsOf(HttpConnectionManager(),
                 "{stat_prefix: a, route_config: {}, access_log: [{name: g, typed_config: {\"@type\": "
                 "type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig, "
                 "common_config: {log_name: l}}}]}")
            .find("HttpGrpcAccessLogConfig is Envoy's but not supported here yet") != std::string::npos);
}

TEST_CASE("a type that is not known is no error where the configuration says that it may be missing") {
  const std::string known = "{name: a, is_optional: true, typed_config: {\"@type\": ";
  CHECK(problems<HttpFilter>(known + "type.googleapis.com/acme.filters.Meter, per: second}}") == "");
  CHECK(problems<HttpFilter>(known +
                             "type.googleapis.com/xds.type.v3.TypedStruct, type_url: a.b/c.D, value: {e: 1}}}") == "");
  ErrorList errors;
  Positions positions;
  HttpFilter filter;
  Loader(errors, positions)
      .loadText("{name: a, isOptional: false, typed_config: {\"@type\": a.b/c.D}}", Format::kYaml, "f.yaml", filter);
  CHECK(errors.toString().find("typed_config: unknown type c.D") != std::string::npos);

  // Envoy would do what it says.
  ErrorList refused;
  Loader(refused, positions)
      .loadText(known + "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication, rules: []}}",
                Format::kYaml, "f.yaml", filter);
  CHECK(refused.toString().find("JwtAuthentication is Envoy's but not supported here yet") != std::string::npos);
}

TEST_CASE("an enum value without a name is refused") {
  CHECK(problems<Cluster>("{name: a, lb_policy: 99}") ==
        "f.yaml:1:11: lb_policy: must be a value that its enum defines, is 99 (enum.defined_only)");
}

TEST_CASE("required messages and oneofs are missed at their parent's position") {
  CHECK(problems<RouteConfiguration>("virtual_hosts:\n- name: v\n  domains: ['*']\n  routes:\n  - name: r\n") ==
        "f.yaml:5:5: virtual_hosts[0].routes[0].match: is required and is not set (required)\n"
        "f.yaml:5:5: virtual_hosts[0].routes[0]: needs one of route, redirect, direct_response or "
        "non_forwarding_action (oneof action required)");
}

TEST_CASE("lists have a least size and rules on their items") {
  CHECK(problems<RouteConfiguration>("virtual_hosts: [{name: v, domains: []}]") ==
        "f.yaml:1:27: virtual_hosts[0].domains: needs at least 1 entry, has 0 (repeated.min_items: 1)");
  CHECK(problems<envoy::config::route::v3::VirtualHost>(
            "{name: c, domains: [d], request_headers_to_remove: [a, \"\"]}") ==
        "f.yaml:1:56: request_headers_to_remove[1]: must not be empty; give it a value (string.min_len: 1)");
}

TEST_CASE("header text must not end its header") {
  CHECK(problems<RouteConfiguration>("request_headers_to_remove: [\"a\\r\\nb\"]") ==
        "f.yaml:1:29: request_headers_to_remove[0]: must not hold NUL, CR or LF, which end a header "
        "(string.well_known_regex: HTTP_HEADER_NAME)");
}

TEST_CASE("a pattern is a rule as well") {
  const std::string found = problems<envoy::config::route::v3::RouteMatch>("path_separated_prefix: /a/");

  CHECK(found.find("f.yaml:1:1: path_separated_prefix: must match ^[^?#]+[^?#/]$, is \"/a/\"") == 0);
}

TEST_CASE("rules hold inside an Any, with the path and position of the inner field") {
  CHECK(problems<envoy::config::listener::v3::Filter>(
            "name: f\n"
            "typed_config:\n"
            "  \"@type\": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer\n"
            "  max_request_bytes: 0\n") ==
        "f.yaml:4:3: typed_config.max_request_bytes: must be more than 0, is 0 (uint32.gt: 0)");
}

TEST_CASE("a duration is never negative, whatever the rules of its field say") {
  CHECK(problems<Cluster>("{name: a, cleanup_interval: -1s}") ==
        "f.yaml:1:11: cleanup_interval: must be more than 0s, is -1s (duration.gt: 0s)");
  CHECK(problems<Cluster>("{name: a, common_lb_config: {update_merge_window: -0.5s}}") ==
        "f.yaml:1:30: common_lb_config.update_merge_window: is negative; a duration is 0s or longer (duration.gte)");
}

TEST_CASE("a message that keeps all rules has no errors") {
  CHECK(problems<Cluster>("{name: a, type: STATIC, connect_timeout: 1s, lb_policy: RANDOM}") == "");
}

TEST_CASE("a deprecated field is a warning") {
  ErrorList errors;
  Cluster cluster;
  cluster.set_name("a");
  cluster.set_respect_dns_ttl(true);

  CHECK(validate(cluster, Context(errors)));
  REQUIRE(errors.warnings().size() == 1);
  CHECK(errors.warnings()[0].path == "respect_dns_ttl");
}

class FakeFactory : public ExtensionFactory {
 public:
  std::string_view configType() const override { return "envoy.extensions.filters.http.buffer.v3.Buffer"; }
};

TEST_CASE("a factory is found by the type of its configuration") {
  FactoryTable<FakeFactory> table("HTTP filter");
  table.add(std::make_unique<FakeFactory>());
  google::protobuf::Any any;
  any.PackFrom(envoy::extensions::filters::http::buffer::v3::Buffer());
  ErrorList errors;

  const auto match = table.resolve(any, Context(errors));

  REQUIRE(match);
  CHECK(match.factory->configType() == match.config->GetDescriptor()->full_name());
}

TEST_CASE("a type of another kind of extension is refused with the known ones") {
  FactoryTable<FakeFactory> table("HTTP filter");
  table.add(std::make_unique<FakeFactory>());
  google::protobuf::Any any;
  any.PackFrom(Cluster());
  ErrorList errors;

  CHECK_FALSE(table.resolve(any, Context(errors, nullptr, "typed_config")));
  CHECK(errors.toString() ==
        "typed_config: envoy.config.cluster.v3.Cluster does not configure HTTP filters; known: "
        "envoy.extensions.filters.http.buffer.v3.Buffer");
}

TEST_CASE("addresses are IP literals or socket paths") {
  ErrorList errors;
  envoy::config::core::v3::Address address;
  address.mutable_socket_address()->set_address("::1");
  address.mutable_socket_address()->set_port_value(80);
  CHECK(compileAddress(address, Context(errors))->toString() == "[::1]:80");

  address.mutable_socket_address()->set_address("localhost");
  CHECK_FALSE(compileAddress(address, Context(errors, nullptr, "address")));
  CHECK(errors.toString().find("address.socket_address.address: \"localhost\" is not an IP address") == 0);

  address.mutable_pipe()->set_path("/run/x.sock");
  CHECK(compileAddress(address, Context(errors))->toString() == "/run/x.sock");
}

}  // namespace
}  // namespace sluice::config
