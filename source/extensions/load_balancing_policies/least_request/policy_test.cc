#include "source/extensions/load_balancing_policies/least_request/policy.h"

#include <catch2/catch.hpp>
#include <map>
#include <vector>

#include "source/upstream/cluster/host_monitors.h"
#include "test/support/upstream/picking_cost.h"

namespace sluice::extensions::load_balancing_policies::least_request {
namespace {

using namespace std::chrono_literals;
using upstream::cluster::HostSetPtr;
using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;
using upstream::lb::hostsOfWeights;
using upstream::lb::Picking;

TEST_CASE("without hosts none is picked") {
  const Policy policy{Settings{}};

  CHECK(Picking(policy).pick() == kNoHost);
}

TEST_CASE("the host with fewer active requests is preferred") {
  const Policy policy{Settings{}};
  Picking picking(policy, hostsOfWeights({1, 1}));
  for (int i = 0; i < 5; ++i) picking.hosts().requestStarted(0);

  std::map<HostSlot, int> picks = picking.pickMany(10000);

  CHECK(picks[0] == Approx(2500).margin(200));  // both choices fell on it
  CHECK(picks[1] == Approx(7500).margin(200));
}

TEST_CASE("long requests even out") {
  const Policy policy{Settings{}};
  Picking picking(policy, hostsOfWeights(std::vector<uint32_t>(10, 1)));

  for (int i = 0; i < 1000; ++i) picking.hosts().requestStarted(picking.pick());

  for (HostSlot slot = 0; slot < 10; ++slot) CHECK(picking.hosts().activeRequests(slot) == Approx(100).margin(4));
}

TEST_CASE("weights are followed and busy hosts shunned") {
  const Policy policy{Settings{}};
  Picking picking(policy, hostsOfWeights({1, 3}));
  std::map<HostSlot, int> idle = picking.pickMany(4000);
  for (int i = 0; i < 8; ++i) picking.hosts().requestStarted(1);
  std::map<HostSlot, int> busy = picking.pickMany(4000);

  CHECK(idle[1] == Approx(3000).margin(10));
  CHECK(busy[1] == Approx(1000).margin(10));  // weight 3 / 9 against 1
}

TEST_CASE("active request bias 0 leaves the weights alone") {
  const Policy policy{Settings{.active_request_bias = 0}};
  Picking picking(policy, hostsOfWeights({1, 3}));
  for (int i = 0; i < 8; ++i) picking.hosts().requestStarted(1);

  CHECK(picking.pickMany(4000)[1] == Approx(3000).margin(10));
}

TEST_CASE("a bias between takes off less than all that active requests would") {
  const Policy policy{Settings{.active_request_bias = 0.5}};
  Picking picking(policy, hostsOfWeights({1, 3}));
  for (int i = 0; i < 8; ++i) picking.hosts().requestStarted(1);

  CHECK(picking.pickMany(4000)[1] == Approx(2000).margin(10));  // weight 3 / 9 ^ 0.5 against 1
}

TEST_CASE("a new host gets a share that grows until its slow start is over") {
  const Policy policy{Settings{.slow_start = {.window = 30s}}};
  Picking picking(policy);
  upstream::cluster::HostMonitors monitors(picking.loop(), [] {});
  upstream::cluster::Assignment assignment;
  auto& endpoints = assignment.localities.emplace_back().endpoints;
  for (uint16_t port = 1; port <= 2; ++port) {
    endpoints.emplace_back().address = *net::Address::fromIp("10.0.0.1", port);
    picking.update(upstream::cluster::HostSet::build(assignment, {}, &picking.hosts().set(), &monitors));
    if (port == 1) picking.loop().advance(40s);
  }

  CHECK(picking.pickMany(1100)[1] == Approx(100).margin(3));
  picking.loop().advance(15s);
  CHECK(picking.pickMany(1100)[1] == Approx(1100 / 3).margin(12));
  picking.hosts().requestStarted(0);
  CHECK(picking.pickMany(1100)[1] == Approx(550).margin(12));  // half its weight, but nothing runs there
}

TEST_CASE("a larger choice count looks at more hosts") {
  const Policy policy{Settings{.choice_count = 8}};
  Picking picking(policy, hostsOfWeights({1, 1}));
  picking.hosts().requestStarted(0);

  CHECK(picking.pickMany(10000)[0] == Approx(10000.0 / 256).margin(25));
}

TEST_CASE("picking a host allocates nothing") {
  upstream::lb::checkThatPickingAllocatesNothing(Policy{Settings{}});
}

}  // namespace
}  // namespace sluice::extensions::load_balancing_policies::least_request
