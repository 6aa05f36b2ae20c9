#include "source/extensions/load_balancing_policies/random/policy.h"

#include <catch2/catch.hpp>
#include <map>

#include "test/support/upstream/picking_cost.h"

namespace sluice::extensions::load_balancing_policies::random {
namespace {

using upstream::cluster::HostSetPtr;
using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;
using upstream::lb::hostsOfWeights;
using upstream::lb::Picking;

TEST_CASE("without hosts none is picked") {
  const Policy policy;

  CHECK(Picking(policy).pick() == kNoHost);
}

TEST_CASE("the weights are followed within statistical error") {
  const Policy policy;
  Picking equal(policy, hostsOfWeights({5, 5, 5, 5}), 3);
  Picking weighted(policy, hostsOfWeights({1, 0x40000000, 0x40000000 * 2u}), 4);

  std::map<HostSlot, int> equal_picks = equal.pickMany(40000);
  std::map<HostSlot, int> weighted_picks = weighted.pickMany(30000);

  for (HostSlot slot = 0; slot < 4; ++slot) CHECK(equal_picks[slot] == Approx(10000).margin(400));
  CHECK(weighted_picks[0] <= 1);
  CHECK(weighted_picks[1] == Approx(10000).margin(400));
  CHECK(weighted_picks[2] == Approx(20000).margin(400));
}

TEST_CASE("workers share the sums of weights of one set of hosts") {
  const Policy policy;
  const HostSetPtr hosts = hostsOfWeights({1, 3});
  const auto prepared = upstream::lb::LbPolicy::prepare(&policy, hosts);
  event::SimulatedLoop loop;
  observability::StatsRegistry registry;
  observability::StatsCells& cells = registry.makeCells();

  upstream::lb::Balancer one(&policy, {loop.timers(), cells, {}, base::Random(1), upstream::lb::HostTable()}, prepared);
  upstream::lb::Balancer other(&policy, {loop.timers(), cells, {}, base::Random(2), upstream::lb::HostTable()},
                               prepared);

  CHECK(prepared.tables.use_count() == 3);
  CHECK(one.pick({}) != kNoHost);
  CHECK(other.pick({}) != kNoHost);
}

TEST_CASE("picking a host allocates nothing") {
  upstream::lb::checkThatPickingAllocatesNothing(Policy());
}

}  // namespace
}  // namespace sluice::extensions::load_balancing_policies::random
