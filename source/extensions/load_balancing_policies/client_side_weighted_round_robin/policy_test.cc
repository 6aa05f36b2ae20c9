#include "source/extensions/load_balancing_policies/client_side_weighted_round_robin/policy.h"

#include <catch2/catch.hpp>
#include <map>
#include <vector>

#include "source/extensions/load_balancing_policies/client_side_weighted_round_robin/stride_schedule.h"
#include "test/support/upstream/picking_cost.h"

namespace sluice::extensions::load_balancing_policies::client_side_weighted_round_robin {
namespace {

using namespace std::chrono_literals;
using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;
using upstream::lb::hostsOfWeights;
using upstream::lb::Picking;

constexpr auto kExpiration = 60s;

Settings settings(std::chrono::milliseconds blackout = 0ms) {
  return {.weights = {.blackout = blackout, .expiration = kExpiration}};
}

// Some hosts, whose endpoints have weights that do not matter.
struct World {
  explicit World(size_t hosts, const Settings& with = settings())
      : policy(with), picking(policy, hostsOfWeights(std::vector<uint32_t>(hosts, 1))) {}

  void report(HostSlot host, double weight) {
    picking.hosts().hostPtr(host)->monitor().loadWeight().report(weight, picking.loop().now(), kExpiration);
  }
  void pass(std::chrono::milliseconds time) { picking.loop().advance(time); }

  const Policy policy;
  Picking picking;
};

TEST_CASE("without hosts none is picked") {
  const Policy policy{settings()};

  CHECK(Picking(policy).pick() == kNoHost);
}

TEST_CASE("without reports hosts are taken in turn, whatever their endpoints weigh") {
  const Policy policy{settings()};
  Picking picking(policy, hostsOfWeights({1, 7, 100}));

  const HostSlot first = picking.pick();

  for (HostSlot i = 1; i < 30; ++i) CHECK(picking.pick() == (first + i) % 3);
}

TEST_CASE("hosts get requests in proportion to their reported weights, evenly spread") {
  World world(3);
  world.report(0, 100);
  world.report(1, 200);
  world.report(2, 700);
  world.pass(1s);

  std::map<HostSlot, int> picks = world.picking.pickMany(1000);

  CHECK(picks[0] == Approx(100).margin(2));
  CHECK(picks[1] == Approx(200).margin(2));
  CHECK(picks[2] == Approx(700).margin(2));
  std::map<HostSlot, int> window = world.picking.pickMany(10);
  CHECK(window[2] >= 6);
  CHECK(window[2] <= 8);
}

TEST_CASE("weights are taken over once an update period") {
  World world(2);
  CHECK(world.picking.pickMany(100)[0] == 50);
  world.report(0, 300);
  world.report(1, 100);

  world.pass(999ms);
  CHECK(world.picking.pickMany(100)[0] == 50);
  world.pass(1ms);
  CHECK(world.picking.pickMany(100)[0] == Approx(75).margin(1));
}

TEST_CASE("a host that is new, silent or was silent for too long has the median of the others") {
  World world(4, settings(10s));
  for (HostSlot host = 0; host < 3; ++host) world.report(host, 100 * (host + 1));
  world.pass(9s);
  CHECK(world.picking.pickMany(100)[3] == 25);
  world.pass(1s);
  CHECK(world.picking.pickMany(800)[3] == Approx(200).margin(2));
  CHECK(world.picking.pickMany(800)[2] == Approx(300).margin(2));

  // The third falls silent: now it and the fourth have 150.
  for (int i = 0; i < 6; ++i) {
    world.pass(10s);
    world.report(0, 100);
    world.report(1, 200);
  }
  world.pass(1s);
  CHECK(world.picking.pickMany(600)[2] == Approx(150).margin(2));
  CHECK(world.picking.pickMany(600)[3] == Approx(150).margin(2));
}

TEST_CASE("no weight counts for less than a tenth of the mean, or for more than ten times it") {
  World world(100);
  for (HostSlot host = 0; host < 100; ++host) world.report(host, host == 0 ? 1e9 : host == 1 ? 1e-9 : 1);
  world.pass(1s);

  std::map<HostSlot, int> picks = world.picking.pickMany(20000);

  // The mean is 1e7: of the first ten times that counts, of the others a tenth.
  CHECK(picks[0] == Approx(20000.0 * 100 / 199).epsilon(0.02));
  CHECK(picks[1] == Approx(20000.0 / 199).epsilon(0.1));
}

TEST_CASE("each locality has a median of its own") {
  upstream::cluster::Assignment assignment;
  for (uint16_t port = 1; port <= 4; ++port) {
    if (port % 2 == 1) {
      auto& locality = assignment.localities.emplace_back();
      locality.locality.zone = std::to_string(port);
      locality.weight = 1;
    }
    assignment.localities.back().endpoints.emplace_back().address = *net::Address::fromIp("10.0.0.1", port);
  }
  const Policy policy{settings()};
  Picking picking(policy, upstream::cluster::HostSet::build(assignment, {.locality_weighted = true}, nullptr));
  for (const auto& [host, weight] : {std::pair{0, 10.0}, std::pair{2, 1000.0}}) {
    picking.hosts().hostPtr(host)->monitor().loadWeight().report(weight, picking.loop().now(), kExpiration);
  }
  picking.loop().advance(1s);

  std::map<HostSlot, int> picks = picking.pickMany(400);

  for (HostSlot host = 0; host < 4; ++host) CHECK(picks[host] == Approx(100).margin(2));
}

TEST_CASE("a weight stays with a host through other sets of hosts") {
  World world(2);
  world.report(0, 300);
  world.report(1, 100);

  world.picking.update(hostsOfWeights({1, 1}, &world.picking.hosts().set()));

  CHECK(world.picking.pickMany(100)[0] == Approx(75).margin(1));
}

TEST_CASE("new hosts get a part of their weight with slow start") {
  Settings slow = settings();
  slow.slow_start = {.window = 100s};
  World world(2, slow);
  world.report(0, 100);
  world.report(1, 100);
  world.pass(1s);
  CHECK(world.picking.pickMany(100)[0] == 50);  // both are old

  const auto now = world.picking.loop().now();
  world.picking.hosts().hostPtr(1)->monitor().enterService(now);
  world.picking.update(hostsOfWeights({1, 1}, &world.picking.hosts().set()));
  CHECK(world.picking.pickMany(1100)[1] == Approx(100).margin(3));
  world.pass(50s);
  CHECK(world.picking.pickMany(1500)[1] == Approx(500).margin(10));
}

TEST_CASE("a host that is new and reports next to nothing is chosen where there is no other") {
  Settings slow = settings();
  slow.slow_start = {.window = 100s};
  World world(1, slow);
  world.picking.hosts().hostPtr(0)->monitor().enterService(world.picking.loop().now());
  world.picking.update(hostsOfWeights({1}, &world.picking.hosts().set()));
  upstream::lb::LoadReport report = world.policy.loadWeights()->newReport();
  REQUIRE(upstream::lb::readLoadReportText("rps_fractional=4.9e-324,cpu_utilization=1", report));
  world.report(0, world.policy.loadWeights()->weightOf(report).value());
  world.pass(1s);

  CHECK(world.picking.pick() == 0);
}

TEST_CASE("a schedule passes over few indexes however many there are and whatever they weigh") {
  for (const size_t count : {10u, 1000u}) {
    std::vector<double> weights(count, 1);
    weights[0] = 1e6;
    StrideSchedule schedule(count, 42);
    schedule.setWeights(weights);
    std::vector<int> picks(count, 0);
    for (size_t i = 0; i < 20 * count; ++i) ++picks[schedule.next()];
    CHECK(std::count(picks.begin(), picks.end(), 0) == 0);
  }
}

TEST_CASE("picking a host allocates nothing, not even when weights are taken over") {
  const Policy policy{settings()};
  upstream::lb::checkThatPickingAllocatesNothing(policy);
  World world(50);
  for (HostSlot host = 0; host < 25; ++host) world.report(host, host + 1);
  world.pass(1s);
  const uint64_t before = testing::allocations();

  world.picking.pick();

  CHECK(testing::allocations() == before);
}

}  // namespace
}  // namespace sluice::extensions::load_balancing_policies::client_side_weighted_round_robin
