#include "source/extensions/load_balancing_policies/wrr_locality/policy.h"

#include <catch2/catch.hpp>
#include <map>

#include "test/support/upstream/picking.h"
#include "test/support/upstream/policies.h"

namespace sluice::extensions::load_balancing_policies::wrr_locality {
namespace {

using upstream::cluster::HostSet;
using upstream::cluster::HostSlot;
using upstream::lb::Picking;

TEST_CASE("localities share the traffic by their weights, and the other policy chooses in them") {
  upstream::cluster::Assignment assignment;
  for (uint16_t port = 1; port <= 4; ++port) {
    if (port <= 2) {
      auto& locality = assignment.localities.emplace_back();
      locality.locality.zone = std::to_string(port);
      locality.weight = port == 1 ? 3 : 1;
    }
    assignment.localities.back().endpoints.emplace_back().address = *net::Address::fromIp("10.0.0.1", port);
  }
  const Policy policy(std::make_shared<upstream::lb::InTurn>());
  Picking picking(policy, HostSet::build(assignment, {.locality_weighted = policy.localityWeighted()}, nullptr));

  std::map<HostSlot, int> picks = picking.pickMany(400);

  CHECK(picks[0] == Approx(300).margin(2));
  for (HostSlot host = 1; host < 4; ++host) CHECK(picks[host] == Approx(100.0 / 3).margin(2));
}

}  // namespace
}  // namespace sluice::extensions::load_balancing_policies::wrr_locality
