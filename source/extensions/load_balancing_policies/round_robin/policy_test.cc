#include "source/extensions/load_balancing_policies/round_robin/policy.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <vector>

#include "test/support/upstream/picking_cost.h"

namespace sluice::extensions::load_balancing_policies::round_robin {
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

TEST_CASE("picking a host allocates nothing") {
  upstream::lb::checkThatPickingAllocatesNothing(Policy());
}

}  // namespace
}  // namespace sluice::extensions::load_balancing_policies::round_robin
