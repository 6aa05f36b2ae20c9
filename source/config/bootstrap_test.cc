#include "source/config/bootstrap.h"

#include <catch2/catch.hpp>
#include <string>

#include "source/config/loader.h"

namespace sluice::config {
namespace {

struct Compiled {
  explicit Compiled(const std::string& text) {
    envoy::config::bootstrap::v3::Bootstrap bootstrap;
    Loader(errors, positions).loadText(text, Format::kYaml, "f.yaml", bootstrap);
    REQUIRE(errors.toString() == "");
    settings = compileBootstrap(bootstrap, Context(errors, &positions));
  }

  ErrorList errors;
  Positions positions;
  std::optional<BootstrapSettings> settings;
};

const std::string kAdsConfig =
    "api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: xds}}]";

TEST_CASE("a bootstrap with dynamic resources gives their sources") {
  const Compiled compiled(
      "node: {id: a, cluster: b}\n"
      "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}}\n"
      "dynamic_resources:\n"
      "  ads_config: {" +
      kAdsConfig +
      "}\n"
      "  lds_config: {ads: {}, initial_fetch_timeout: 0.0001s}\n"
      "  cds_config: {path_config_source: {path: /c.yaml, watched_directory: {path: /d}}}\n"
      "static_resources: {clusters: [{name: xds, type: STATIC}]}\n");

  REQUIRE(compiled.errors.toString() == "");
  CHECK(compiled.settings->admin_address->toString() == "127.0.0.1:9901");
  CHECK(compiled.settings->sources.ads->delta);
  CHECK(compiled.settings->sources.ads->authority == "xds");
  CHECK(compiled.settings->sources.lds->kind == ResourceSource::Kind::kAds);
  CHECK(compiled.settings->sources.lds->initial_fetch_timeout == std::chrono::milliseconds(1));
  CHECK(compiled.settings->sources.cds->kind == ResourceSource::Kind::kFile);
  CHECK(compiled.settings->sources.cds->watched_directory == "/d");
}

TEST_CASE("a name that two clusters have is refused at the second") {
  const Compiled compiled("static_resources:\n  clusters:\n  - name: a\n  - name: a\n");

  CHECK_FALSE(compiled.settings);
  CHECK(compiled.errors.toString() ==
        "f.yaml:4:5: static_resources.clusters[1].name: \"a\" is the name of clusters[0], too; names of clusters are "
        "unique");
}

TEST_CASE("an address that two listeners have is refused however it is written") {
  const Compiled compiled(
      "static_resources:\n"
      "  listeners:\n"
      "  - {name: a, address: {socket_address: {address: '::1', port_value: 80}}}\n"
      "  - {name: b, address: {socket_address: {address: '0:0::1', port_value: 80}}}\n"
      "  - {name: c, address: {socket_address: {address: '::1', port_value: 0}}}\n"
      "  - {name: d, address: {socket_address: {address: '::1', port_value: 0}}}\n");

  CHECK(compiled.errors.toString() ==
        "f.yaml:4:15: static_resources.listeners[1].address: [::1]:80 is the address of static_resources.listeners[0], "
        "too; "
        "give each its own");
}

TEST_CASE("ads needs its stream described, the stream a cluster and a node") {
  CHECK(Compiled("dynamic_resources: {cds_config: {ads: {}}}")
            .errors.toString()
            .find("dynamic_resources.cds_config.ads: needs "
                  "dynamic_resources.ads_config") != std::string::npos);
  const Compiled no_cluster("dynamic_resources: {ads_config: {" + kAdsConfig + "}}");
  CHECK(no_cluster.errors.toString().find("names the cluster \"xds\", which is not in static_resources.clusters") !=
        std::string::npos);
  CHECK(no_cluster.errors.toString().find("node: needs id and cluster") != std::string::npos);
  CHECK(Compiled("node: {id: a, cluster: b}\nstatic_resources: {clusters: [{name: xds, type: EDS}]}\n"
                 "dynamic_resources: {ads_config: {" +
                 kAdsConfig + "}}")
            .errors.toString()
            .find("whose endpoints come from EDS themselves") != std::string::npos);
}

TEST_CASE("REST, V2, a second service and reserved metadata are refused") {
  const auto first = [](const std::string& source) {
    return Compiled("dynamic_resources: {cds_config: {api_config_source: {" + source + "}}}").errors.toString();
  };

  CHECK(first("api_type: REST, transport_api_version: V3").find("only GRPC and DELTA_GRPC") != std::string::npos);
  CHECK(first("api_type: GRPC").find("transport_api_version: must be V3") != std::string::npos);
  CHECK(first("api_type: GRPC, grpc_services: [{}, {}]").find("takes exactly one service, has 2") != std::string::npos);
  CHECK(first("api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: a}, initial_metadata: [{key: grpc-x}]}]")
            .find("\"grpc-x\" is reserved") != std::string::npos);
}

}  // namespace
}  // namespace sluice::config
