#include "source/xds/resource_type.h"

#include <catch2/catch.hpp>

#include "source/xds/fakes.h"
#include "source/xds/nack_text.h"

namespace sluice::xds {
namespace {

TEST_CASE("the name of a resource is found in its bytes without parsing it") {
  CHECK(*nameInBody(testing::clusterBody("web", "x")->value()) == "web");
  CHECK(*nameInBody(testing::endpointBody("eds", 140)->value()) == "eds");
}

TEST_CASE("of two names in one body the last counts, as for a parser") {
  const std::string twice = testing::clusterBody("one", "x")->value() + testing::clusterBody("two", "x")->value();

  envoy::config::cluster::v3::Cluster parsed;
  REQUIRE(parsed.ParseFromString(twice));
  CHECK(*nameInBody(twice) == parsed.name());
}

TEST_CASE("a body without a usable name is refused with the reason") {
  CHECK(nameInBody("").status().message() == "a dynamic resource needs a name; set it");
  CHECK(nameInBody("\x0a\x02\xc3\x28").status().message() == "the name is not UTF-8");
  CHECK(nameInBody("\x0a\x7f").status().message() == "the bytes are not a protobuf message");
  CHECK_FALSE(nameInBody("\x0c").ok());
}

TEST_CASE("listeners, clusters and scopes are complete sets, routes and endpoints are not") {
  CHECK(typeInfo(kListenerType).complete_set);
  CHECK(typeInfo(kScopedRouteType).complete_set);
  CHECK(typeInfo(kClusterType).complete_set);
  CHECK_FALSE(typeInfo(kRouteType).complete_set);
  CHECK_FALSE(typeInfo(kEndpointType).complete_set);
  CHECK_FALSE(typeInfo("type.googleapis.com/nobody.knows").complete_set);
}

TEST_CASE("each type has its own method in both variants, unknown ones have none") {
  const TypeInfo routes = typeInfo(kRouteType);
  CHECK(routes.ownMethod(Variant::kSotw) == "/envoy.service.route.v3.RouteDiscoveryService/StreamRoutes");
  CHECK(routes.ownMethod(Variant::kDelta) == "/envoy.service.route.v3.RouteDiscoveryService/DeltaRoutes");
  CHECK(typeInfo(kExtensionType).ownMethod(Variant::kSotw) ==
        "/envoy.service.extension.v3.ExtensionConfigDiscoveryService/StreamExtensionConfigs");
  CHECK(typeInfo("x").ownMethod(Variant::kDelta).empty());
}

TEST_CASE("a type is polled at a path of its own, and virtual hosts are not") {
  CHECK(typeInfo(kClusterType).rest_path == "/v3/discovery:clusters");
  CHECK(typeInfo(kScopedRouteType).rest_path == "/v3/discovery:scoped-routes");
  CHECK(typeInfo(kRouteType).rest_path == "/v3/discovery:routes");
  CHECK(typeInfo(kExtensionType).rest_path == "/v3/discovery:extension_configs");
  CHECK(typeInfo(kVirtualHostType).rest_path.empty());
}

TEST_CASE("text for the wire is valid UTF-8 and is cut between characters") {
  CHECK(validUtf8("caf\xc3\xa9", 10) == "caf\xc3\xa9");
  CHECK(validUtf8("caf\xc3\xa9", 4) == "caf");
  CHECK(validUtf8("a\xff z\xc3", 10) == "a? z?");
  CHECK(validUtf8("\xed\xa0\x80", 10) == "???");
}

TEST_CASE("a NACK names each bad resource by type, name, field path and rule") {
  CHECK(nackText(kClusterType, {{"a", "connect_timeout", "must be greater than 0s"}, {"b", "", "is bad"}}) ==
        "envoy.config.cluster.v3.Cluster \"a\": connect_timeout: must be greater than 0s; "
        "envoy.config.cluster.v3.Cluster \"b\": is bad");
}

TEST_CASE("a NACK is at most 4096 bytes") {
  const std::vector<ResourceError> many(1000, ResourceError{"name", "path", "rule"});
  CHECK(nackText(kClusterType, many).size() <= 4096);
  CHECK(nackText(kClusterType, {{std::string(5000, 'n'), "path", "rule"}}).size() == 4096);
}

TEST_CASE("a long reason does not hide which resources were refused") {
  const std::string why(5000, 'x');

  const std::string text = nackText(kClusterType, {{"first", "", why}, {"second", "", "short"}, {"third", "", why}});

  for (const char* name : {"\"first\": x", "\"second\": short", "\"third\": x"}) {
    CAPTURE(name);
    CHECK(text.find(name) != std::string::npos);
  }
  CHECK(text.find("more") == std::string::npos);
  CHECK(text.size() > 2500);
}

TEST_CASE("a NACK of more resources than it can name says how many") {
  std::vector<ResourceError> many;
  for (int i = 0; i < 500; ++i) many.push_back({"cluster-" + std::to_string(i), "path", std::string(100, 'x')});

  const std::string text = nackText(kClusterType, many);

  size_t named = 0;
  for (size_t at = text.find("\"cluster-"); at != std::string::npos; at = text.find("\"cluster-", at + 1)) ++named;
  CHECK(named > 50);
  CHECK(text.ends_with("; and " + std::to_string(500 - named) + " more"));
}

}  // namespace
}  // namespace sluice::xds
