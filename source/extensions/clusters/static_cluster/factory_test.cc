#include "source/extensions/clusters/static_cluster/factory.h"

#include <catch2/catch.hpp>

#include "source/config/cluster_kind_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/clusters/static_cluster/kind.h"

namespace sluice::extensions::clusters::static_cluster {
namespace {

using Cluster = config::ClusterTypeFactory::Cluster;

struct StaticTest : config::testing::TestWorld {
  StaticTest() { registerFactory(registry); }
  std::shared_ptr<const Kind> compile(const std::string& endpoint) {
    Cluster cluster;
    REQUIRE(
        load("{name: c, type: STATIC, load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: "
             "[{endpoint: {address: {socket_address: " +
                 endpoint + "}}}]}]}}",
             cluster));
    return std::dynamic_pointer_cast<const Kind>(
        registry.cluster_types.at(Cluster::STATIC)->compile(cluster, context()));
  }
};

TEST_CASE("the endpoints of the configuration are the hosts") {
  StaticTest t;

  const std::shared_ptr<const Kind> kind = t.compile("{address: 10.0.0.1, port_value: 80}");

  REQUIRE(t.problems() == "");
  REQUIRE(kind->endpoints().localities.size() == 1);
  CHECK(kind->endpoints().localities[0].endpoints.at(0).address.toString() == "10.0.0.1:80");
}

TEST_CASE("a host name is refused, for nobody would resolve it") {
  StaticTest t;

  t.compile("{address: a.example, port_value: 80}");

  CHECK_THAT(t.problems(), Catch::Contains("'a.example' is not an IP address"));
}

}  // namespace
}  // namespace sluice::extensions::clusters::static_cluster
