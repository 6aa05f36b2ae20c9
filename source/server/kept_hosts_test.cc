#include "source/server/kept_hosts.h"

#include <catch2/catch.hpp>

#include "source/event/simulated_loop.h"
#include "source/extensions/clusters/eds/source.h"
#include "source/upstream/cluster/host_monitors.h"

namespace sluice::server {
namespace {

namespace cluster = upstream::cluster;
using cluster::Health;
using cluster::HealthInput;

struct KeptTest {
  KeptTest() {
    config.health_checks = {std::make_shared<cluster::HealthCheckConfig>()};
    config.kind = std::make_shared<extensions::clusters::eds::Kind>(extensions::clusters::eds::Settings());
    tell({1, 2, 3});
  }
  // Hosts at these ports are what is told of from now on.
  void tell(const std::vector<uint16_t>& ports) {
    told = std::make_shared<cluster::Assignment>();
    auto& locality = told->localities.emplace_back();
    locality.weight = 5;
    for (const uint16_t port : ports) {
      cluster::Endpoint& endpoint = locality.endpoints.emplace_back();
      endpoint.address = *net::Address::fromIp("10.0.0.1", port);
      endpoint.weight = port;
      endpoint.health = assigned;
      endpoint.check.wanted = checked;
    }
    build();
  }
  void build() {
    const cluster::AssignmentPtr all = withKeptHosts(told, hosts.get(), config);
    hosts = cluster::HostSet::build(*all, {}, hosts.get(), &monitors);
  }
  void opine(uint16_t port, HealthInput input, Health health) {
    for (const auto& entry : hosts->entries()) {
      if (entry.host->address().port() == port) monitors.set(*entry.host, input, health);
    }
    build();
  }
  // The ports, those that are leaving with a minus.
  std::vector<int> there() const {
    std::vector<int> out;
    for (const auto& entry : hosts->entries()) out.push_back((entry.leaving ? -1 : 1) * entry.host->address().port());
    return out;
  }

  event::SimulatedLoop loop;
  cluster::HostMonitors monitors{loop, [] {}};
  cluster::ClusterConfig config;
  std::shared_ptr<cluster::Assignment> told;
  Health assigned = Health::kHealthy;
  bool checked = true;
  cluster::HostSetPtr hosts;
};

using Ports = std::vector<int>;

TEST_CASE("a host that left stays as it was until a check fails it") {
  KeptTest t;
  const cluster::Host* const second = t.hosts->host(1);
  t.tell({3});
  CHECK(t.there() == Ports{3, -1, -2});
  CHECK(t.hosts->host(1) == second);
  CHECK(t.hosts->entries()[2].weight == 2);

  t.opine(1, HealthInput::kEjection, Health::kUnhealthy);
  CHECK(t.there() == Ports{3, -1, -2});
  t.opine(1, HealthInput::kActiveCheck, Health::kUnhealthy);
  CHECK(t.there() == Ports{3, -2});
  t.tell({3, 2});
  CHECK(t.there() == Ports{3, 2});
  t.tell({});
  CHECK(t.there() == Ports{-3, -2});
}

TEST_CASE("a host that stays keeps its further addresses") {
  KeptTest t;
  auto told = std::make_shared<cluster::Assignment>(*t.told);
  const net::Address other = *net::Address::fromIp("10.0.0.9", 9);
  told->localities[0].endpoints[0].additional = {other};
  t.told = told;
  t.build();
  const std::vector<net::Address> addresses{told->localities[0].endpoints[0].address, other};
  t.tell({3});
  for (int i = 0; i < 2; ++i) {
    const auto now = t.hosts->addressesOf(0);
    CHECK(std::vector<net::Address>(now.begin(), now.end()) == addresses);
    t.build();
  }
}

TEST_CASE("a host that checks failed leaves with its endpoint, and so does one that its endpoint calls ill") {
  KeptTest t;
  t.opine(1, HealthInput::kActiveCheck, Health::kTimeout);
  t.tell({2, 3});
  CHECK(t.there() == Ports{2, 3});
  t.assigned = Health::kDraining;
  t.tell({2, 3});
  t.tell({});
  CHECK(t.there().empty());
}

TEST_CASE("where nobody checks hosts, or that is not to count, they leave with their endpoints") {
  KeptTest t;
  SECTION("the cluster has no checks") {
    t.config.health_checks.clear();
  }
  SECTION("the endpoint has none") {
    t.checked = false;
    t.tell({1, 2, 3});
  }
  SECTION("it is not to count") {
    t.config.host_changes.ignore_health_on_removal = true;
  }
  t.tell({3});
  CHECK(t.there() == Ports{3});
}

TEST_CASE("a locality whose hosts stay keeps the weight that it is told to have") {
  KeptTest t;
  t.tell({3});
  const cluster::AssignmentPtr all = withKeptHosts(t.told, t.hosts.get(), t.config);
  REQUIRE(all->localities.size() == 2);
  CHECK(all->localities[0].weight == 5);
  CHECK(all->localities[1].weight == 0);
  CHECK(all->localities[1].endpoints.size() == 2);
}

}  // namespace
}  // namespace sluice::server
