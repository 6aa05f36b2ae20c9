#include "source/extensions/load_balancing_policies/round_robin/policy.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <vector>

#include "source/upstream/cluster/host_monitors.h"
#include "test/support/upstream/picking_cost.h"

namespace sluice::extensions::load_balancing_policies::round_robin {
namespace {

using namespace std::chrono_literals;
using upstream::cluster::HostSetPtr;
using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;
using upstream::lb::hostsOfWeights;
using upstream::lb::Picking;

TEST_CASE("without hosts none is picked") {
  const Policy policy;

  CHECK(Picking(policy).pick() == kNoHost);
}

TEST_CASE("equal hosts are taken in turn") {
  const Policy policy;
  Picking picking(policy, hostsOfWeights({7, 7, 7}));

  const HostSlot first = picking.pick();

  for (HostSlot i = 1; i < 30; ++i) CHECK(picking.pick() == (first + i) % 3);
}

TEST_CASE("different workers start at different hosts") {
  const Policy policy;
  const HostSetPtr hosts = hostsOfWeights(std::vector<uint32_t>(100, 1));
  std::set<HostSlot> starts;

  for (uint64_t worker = 0; worker < 8; ++worker) starts.insert(Picking(policy, hosts, worker).pick());

  CHECK(starts.size() >= 6);
}

TEST_CASE("weights are followed exactly and spread evenly") {
  const Policy policy;
  Picking picking(policy, hostsOfWeights({1, 2, 7}));

  std::map<HostSlot, int> picks = picking.pickMany(1000);

  CHECK(picks[0] == Approx(100).margin(2));
  CHECK(picks[1] == Approx(200).margin(2));
  CHECK(picks[2] == Approx(700).margin(2));
  std::map<HostSlot, int> window = picking.pickMany(10);
  CHECK(window[2] >= 6);
  CHECK(window[2] <= 8);
}

// Two hosts, of which the second comes 40 s after the first.
struct SlowStarting {
  explicit SlowStarting(const upstream::lb::SlowStart& settings) : policy(false, settings), picking(policy) {
    endpoints(1);
    picking.loop().advance(40s);
    endpoints(2);
  }
  void endpoints(uint16_t count) {
    upstream::cluster::Assignment assignment;
    auto& locality = assignment.localities.emplace_back();
    for (uint16_t port = 1; port <= count; ++port) {
      locality.endpoints.emplace_back().address = *net::Address::fromIp("10.0.0.1", port);
    }
    picking.update(upstream::cluster::HostSet::build(assignment, {}, &picking.hosts().set(), &monitors));
  }
  // How many of 1100 picks are the new host's.
  int share() { return picking.pickMany(1100)[1]; }

  Policy policy;
  Picking picking;
  upstream::cluster::HostMonitors monitors{picking.loop(), [] {}};
};

TEST_CASE("a new host gets a share that grows until its slow start is over") {
  SlowStarting world({.window = 30s});

  CHECK(world.share() == Approx(100).margin(3));  // a tenth of the other's
  world.picking.loop().advance(15s);
  CHECK(world.share() == Approx(1100 / 3).margin(12));
  world.picking.loop().advance(15s);
  CHECK(world.share() == 550);
}

TEST_CASE("aggression lets the share grow faster at first, and its least is as it is set") {
  SlowStarting world({.window = 30s, .aggression = 2, .least_factor = 0.25});

  CHECK(world.share() == Approx(220).margin(5));
  world.picking.loop().advance(7500ms);
  CHECK(world.share() == Approx(1100 / 3).margin(12));  // the root of a quarter
}

TEST_CASE("a host that active checks find healthy again starts slowly, one that was ejected does not") {
  using upstream::cluster::Health;
  using upstream::cluster::HealthInput;
  SlowStarting world({.window = 30s});
  world.picking.loop().advance(60s);
  const auto fail_and_recover = [&](HealthInput input) {
    world.monitors.set(*world.picking.hosts().hostPtr(1), input, Health::kUnhealthy);
    world.monitors.set(*world.picking.hosts().hostPtr(1), input, Health::kHealthy);
    world.endpoints(2);
    return world.share();
  };

  CHECK(fail_and_recover(HealthInput::kEjection) == 550);
  CHECK(fail_and_recover(HealthInput::kActiveCheck) == Approx(100).margin(3));
}

TEST_CASE("slow start knows hosts of priorities that get no traffic, for who passes over those that do") {
  upstream::cluster::Assignment assignment;
  for (uint16_t port = 1; port <= 2; ++port) {
    auto& locality = assignment.localities.emplace_back();
    locality.priority = port - 1u;
    locality.endpoints.emplace_back().address = *net::Address::fromIp("10.0.0.1", port);
  }
  const Policy policy(false, {.window = 30s});
  Picking picking(policy, upstream::cluster::HostSet::build(assignment, {}, nullptr));
  const base::PrioritySet first(1);
  upstream::lb::LbContext retry;
  retry.passed_over = &first;

  CHECK(picking.pick() == 0);
  CHECK(picking.pick(retry) == 1);
}

TEST_CASE("what slow start keeps of one host of many is one time") {
  const HostSetPtr all = hostsOfWeights(std::vector<uint32_t>(1000, 1));
  const std::vector<uint32_t> one{999};
  const HostSetPtr part = all->subset(one, upstream::cluster::HostSet::SubsetLocalities::kIgnored);

  const upstream::lb::SlowStartTables tables(*part);

  REQUIRE(tables.since.size() == 1);
  REQUIRE(tables.since[0].size() == 1);
  CHECK(tables.since[0][0].size() == 1);
}

TEST_CASE("picking a host allocates nothing") {
  upstream::lb::checkThatPickingAllocatesNothing(Policy());
}

}  // namespace
}  // namespace sluice::extensions::load_balancing_policies::round_robin
