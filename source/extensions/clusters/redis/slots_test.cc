#include "source/extensions/clusters/redis/slots.h"

#include <catch2/catch.hpp>

#include "source/extensions/clusters/redis/policy.h"
#include "test/support/upstream/picking.h"

namespace sluice::extensions::clusters::redis {
namespace {

using sluice::redis::Read;
using sluice::redis::Target;
using upstream::cluster::Health;
using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;

const net::Address kAsked = *net::Address::fromIp("10.0.0.9", 7000);

std::string node(const std::string& ip, int port) {
  return "*3\r\n$" + std::to_string(ip.size()) + "\r\n" + ip + "\r\n:" + std::to_string(port) + "\r\n$2\r\nid\r\n";
}
std::string range(int first, int last, const std::vector<std::string>& nodes) {
  std::string out = "*" + std::to_string(2 + nodes.size()) + "\r\n:" + std::to_string(first) +
                    "\r\n:" + std::to_string(last) + "\r\n";
  for (const std::string& each : nodes) out += each;
  return out;
}

TEST_CASE("an answer says who has which slots, in their order") {
  const auto map = slotsOf("*2\r\n" + range(100, 16383, {node("10.0.0.2", 2)}) +
                               range(0, 99, {node("10.0.0.1", 1), node("10.0.0.3", 3), node("name", 4)}),
                           kAsked);
  REQUIRE(map);
  REQUIRE(map->ranges.size() == 2);
  CHECK(map->ranges[0].last == 99);
  CHECK(map->ranges[0].primary.toString() == "10.0.0.1:1");
  CHECK(map->ranges[0].replicas.size() == 1);
  CHECK(map->ranges[1].primary.toString() == "10.0.0.2:2");
}

TEST_CASE("a node that does not know its own address is the one that was asked") {
  const auto map = slotsOf("*1\r\n" + range(0, 1, {node("", 7001)}), kAsked);
  REQUIRE(map);
  CHECK(map->ranges[0].primary.toString() == "10.0.0.9:7001");
}

TEST_CASE("what is no map of slots is refused as a whole") {
  for (const std::string& frame :
       {std::string("-ERR x\r\n"), std::string("*0\r\n"), "*1\r\n" + range(0, 16384, {node("10.0.0.1", 1)}),
        "*1\r\n" + range(5, 4, {node("10.0.0.1", 1)}), "*1\r\n" + range(0, 1, {}),
        "*1\r\n" + range(0, 1, {node("host.example", 1)}), "*1\r\n" + range(0, 1, {node("10.0.0.1", 0)}),
        "*2\r\n" + range(0, 5, {node("10.0.0.1", 1)}) + range(5, 9, {node("10.0.0.2", 1)})}) {
    CAPTURE(frame);
    CHECK_FALSE(slotsOf(frame, kAsked));
  }
}

// Slots 0 to 99: 10.0.0.1:1 with the replicas :2 and :3; from 200 on: :4 alone.
struct PolicyTest {
  PolicyTest() {
    const auto address = [](uint16_t port) { return *net::Address::fromIp("10.0.0.1", port); };
    topology->slots.ranges = {{0, 99, address(1), {address(2), address(3)}}, {200, 16383, address(4), {}}};
  }
  HostSlot pick(const std::vector<Health>& health, Target target) {
    upstream::cluster::Assignment assignment;
    auto& locality = assignment.localities.emplace_back();
    uint16_t port = 1;
    for (const Health each : health) {
      auto& endpoint = locality.endpoints.emplace_back();
      endpoint.address = *net::Address::fromIp("10.0.0.1", port++);
      endpoint.health = each;
    }
    const Policy policy(topology);
    upstream::lb::Picking picking(policy, upstream::cluster::HostSet::build(assignment, {}, nullptr));
    upstream::lb::LbContext context;
    context.redis = &target;
    return picking.pick(context);
  }

  std::shared_ptr<Topology> topology = std::make_shared<Topology>();
};

TEST_CASE("a slot's primary gets what writes, well or not, and nobody a slot that is nobody's") {
  PolicyTest t;
  const std::vector<Health> well(4, Health::kHealthy);
  CHECK(t.pick(well, {5, Read::kPrimary}) == 0);
  CHECK(t.pick(well, {16383, Read::kPrimary}) == 3);
  CHECK(t.pick(well, {150, Read::kPrimary}) == kNoHost);
  CHECK(t.pick({Health::kUnhealthy, Health::kHealthy, Health::kHealthy}, {5, Read::kPrimary}) == 0);
  CHECK(t.pick({Health::kHealthy}, {200, Read::kPrimary}) == kNoHost);
}

TEST_CASE("read policies say when a replica is taken") {
  PolicyTest t;
  const std::vector<Health> well(4, Health::kHealthy);
  const std::vector<Health> no_primary{Health::kUnhealthy, Health::kUnhealthy, Health::kHealthy, Health::kHealthy};
  const std::vector<Health> no_replica{Health::kHealthy, Health::kUnhealthy, Health::kUnhealthy, Health::kHealthy};
  CHECK(t.pick(well, {5, Read::kPreferPrimary}) == 0);
  CHECK(t.pick(no_primary, {5, Read::kPreferPrimary}) == 2);
  CHECK(t.pick(no_primary, {5, Read::kReplica}) == 2);
  CHECK(t.pick(no_replica, {5, Read::kReplica}) != 0);
  CHECK(t.pick(no_replica, {5, Read::kPreferReplica}) == 0);
  CHECK(t.pick(no_primary, {5, Read::kPreferReplica}) == 2);
  CHECK(t.pick(no_primary, {5, Read::kAny}) == 2);
  CHECK(t.pick(well, {200, Read::kReplica}) == kNoHost);
  CHECK(t.pick(well, {200, Read::kAny}) == 3);
}

}  // namespace
}  // namespace sluice::extensions::clusters::redis
