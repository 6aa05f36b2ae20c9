#include "source/explain/configuration.h"

#include <catch2/catch.hpp>

namespace sluice::explain {
namespace {

TEST_CASE("A static cluster is all that its message says") {
  envoy::config::cluster::v3::Cluster proto;
  proto.set_name("up");
  auto& locality = *proto.mutable_load_assignment()->add_endpoints();
  locality.set_priority(1);
  locality.mutable_locality()->set_region("r");
  auto& endpoint = *locality.add_lb_endpoints();
  endpoint.set_health_status(envoy::config::core::v3::DRAINING);
  endpoint.mutable_load_balancing_weight()->set_value(3);
  auto& address = *endpoint.mutable_endpoint()->mutable_address()->mutable_socket_address();
  address.set_address("::1");
  address.set_port_value(80);

  const Cluster cluster = describeCluster(proto, "clusters[0]");

  CHECK(cluster.type == "STATIC");
  CHECK(cluster.note.empty());
  REQUIRE(cluster.hosts.size() == 1);
  CHECK(cluster.hosts[0].address == "[::1]:80");
  CHECK(cluster.hosts[0].weight == 3);
  CHECK(cluster.hosts[0].priority == 1);
  CHECK(cluster.hosts[0].locality == "r//");
  CHECK(cluster.hosts[0].health == "draining");
}

TEST_CASE("Where the hosts of other clusters come from is said") {
  envoy::config::cluster::v3::Cluster proto;
  proto.set_type(envoy::config::cluster::v3::Cluster::EDS);

  CHECK(describeCluster(proto, "").note == "its endpoints come from a control plane");
}

TEST_CASE("A table by RDS has a place, and is not known") {
  KeptRoutes routes;
  config::ErrorList errors;

  const auto slot = routes.rds("r", {}, nullptr, config::Context(errors));

  REQUIRE(slot != nullptr);
  CHECK(routes.find(*slot) == nullptr);
}

}  // namespace
}  // namespace sluice::explain
