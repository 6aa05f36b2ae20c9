// Choices among zones: how often each gets one, and what is counted.
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "test/support/upstream/picking.h"
#include "test/support/upstream/policies.h"

namespace sluice::upstream::lb {
namespace {

using cluster::Assignment;
using cluster::HostSet;
using cluster::HostSetOptions;
using cluster::HostSetPtr;
using cluster::HostSlot;
using cluster::kNoHost;
using cluster::LocalZones;

// Hosts in zones "a", "b" ... of the cluster and of the local one, which is in "a".
HostSetPtr routed(const std::vector<uint16_t>& zones, const cluster::ZoneMap& local, HostSetOptions options = {},
                  double local_available = 100) {
  Assignment assignment;
  uint16_t port = 1;
  for (size_t i = 0; i < zones.size(); ++i) {
    cluster::LocalityEndpoints& locality = assignment.localities.emplace_back();
    locality.locality.zone = std::string(1, static_cast<char>('a' + i));
    for (uint16_t host = 0; host < zones[i]; ++host) {
      locality.endpoints.emplace_back().address = *net::Address::fromIp("10.0.0.1", port++);
    }
  }
  if (!options.zones) options.zones.emplace();
  const LocalZones from{{"", "a", ""}, local, local_available};
  return HostSet::build(assignment, options, nullptr, nullptr, std::make_shared<const LocalZones>(from));
}

cluster::ZoneMap halves() {
  return {{{"", "a", ""}, {1, 1}}, {{"", "b", ""}, {1, 1}}};
}

TEST_CASE("choices that stay in the zone and choices that leave it come as often as the shares say") {
  const InTurn policy;
  Picking picking(policy, routed({2, 6}, halves()));

  int own = 0;
  for (int i = 0; i < 1000; ++i) own += picking.pick() < 2;

  CHECK(own == Approx(500).margin(1));  // 25% of the hosts for 50% of the requests
  CHECK(picking.count(picking.zones().routing_sampled) == static_cast<uint64_t>(own));
  CHECK(picking.count(picking.zones().routing_cross_zone) == static_cast<uint64_t>(1000 - own));
  CHECK(picking.count(picking.zones().routing_all_directly) == 0);
}

TEST_CASE("where the zone takes all this is counted, and what is not routed by zones is not") {
  const InTurn policy;
  Picking picking(policy, routed({4, 4}, halves(), {.zones = cluster::ZoneAware{.enabled = 0.5}}));

  int own = 0;
  for (int i = 0; i < 1000; ++i) own += picking.pick() < 4;

  CHECK(picking.count(picking.zones().routing_all_directly) == Approx(500).margin(1));
  CHECK(own == Approx(750).margin(5));
}

TEST_CASE("choices in a panic of the local cluster are counted, and are for no host if traffic is to fail then") {
  const bool fails = GENERATE(false, true);
  const InTurn policy;
  Picking picking(policy, routed({3, 3}, halves(), {.fail_on_panic = fails}, 40));

  for (int i = 0; i < 10; ++i) CHECK((picking.pick() == kNoHost) == fails);

  CHECK(picking.count(picking.zones().local_cluster_not_ok) == 10);
  CHECK(picking.panics() == 0);
}

TEST_CASE("a choice without room in any zone is counted as one across zones, too") {
  const InTurn policy;
  cluster::ZoneMap local = {{{"", "a", ""}, {}}, {{"", "b", ""}, {1, 1}}, {{"", "c", ""}, {1, 1}}};
  Picking picking(policy, routed({0, 4, 4}, local));

  CHECK(picking.pick() != kNoHost);

  CHECK(picking.count(picking.zones().no_capacity_left) == 1);
  CHECK(picking.count(picking.zones().routing_cross_zone) == 1);
}

}  // namespace
}  // namespace sluice::upstream::lb
