// How requests are routed by zones, against the reference.
#include "test/reference/zones.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <memory>

#include "source/extensions/load_balancing_policies/least_request/policy.h"
#include "source/extensions/load_balancing_policies/random/policy.h"
#include "source/extensions/load_balancing_policies/round_robin/policy.h"
#include "test/reference/seeds.h"
#include "test/reference/traffic.h"
#include "test/support/upstream/picking.h"

namespace sluice::reference {
namespace {

namespace policies = extensions::load_balancing_policies;
using upstream::cluster::HostSet;
using upstream::cluster::HostSetPtr;
using upstream::cluster::kNoHost;
using upstream::cluster::ZoneObstacle;

// One priority, with zones from "a" on.
Assignment clusterOf(base::Random& random, size_t hosts, uint64_t ill_percent) {
  Assignment out;
  const uint64_t zones = 1 + random.below(4), first = random.below(2);
  const bool equal = random.below(2) == 0;
  for (uint64_t zone = 0; zone < zones; ++zone) {
    out.localities.emplace_back().locality.zone = std::string(1, static_cast<char>('a' + first + zone));
  }
  for (size_t i = 0; i < hosts; ++i) {
    Endpoint& endpoint = out.localities[random.below(zones)].endpoints.emplace_back();
    endpoint.address = *net::Address::fromIp("10.0.0.1", static_cast<uint16_t>(i + 1));
    if (!equal) endpoint.weight = static_cast<uint32_t>(1 + random.below(9));
    if (random.below(100) < ill_percent) endpoint.health = oneOf(random, {Health::kDegraded, Health::kUnhealthy});
  }
  return out;
}

ZoneScenario zonesOf(base::Random& random, size_t hosts = 0) {
  ZoneScenario out;
  const auto some = [&] { return hosts != 0 ? hosts : 1 + random.below(12); };
  out.upstream.assignment = clusterOf(random, some(), oneOf<uint64_t>(random, {0, 0, 20, 40}));
  out.upstream.options.panic_threshold = oneOf(random, {0.0, 50.0, 50.0, 80.0});
  out.originating = clusterOf(random, some(), oneOf<uint64_t>(random, {0, 0, 20, 60}));
  out.settings.min_cluster_size = oneOf<uint64_t>(random, {0, 1, 3, 6});
  out.settings.enabled = oneOf(random, {0.0, 0.3, 1.0, 1.0, 1.0});
  out.settings.by_weight = random.below(3) == 0;
  if (random.below(4) == 0) out.settings.force_from = static_cast<uint32_t>(1 + random.below(4));
  out.own = std::string(1, static_cast<char>('a' + random.below(4)));
  out.upstream.options.zones = out.settings;
  return out;
}

HostSetPtr build(const ZoneScenario& scenario) {
  const HostSetPtr originating = HostSet::build(scenario.originating, {}, nullptr);
  auto local = std::make_shared<const upstream::cluster::LocalZones>(
      upstream::cluster::localZonesOf(*originating, {"", scenario.own, ""}));
  return HostSet::build(scenario.upstream.assignment, scenario.upstream.options, nullptr, nullptr, std::move(local));
}

// By the words of the documentation: the healthy hosts of the cluster are split by zones, all else is as ever.
std::map<std::string, double> expectedOf(const ZoneScenario& scenario) {
  const Traffic plain(scenario.upstream);
  const Zones zones(scenario);
  if (!zones.possible() || zones.nowhere()) return plain.shares();
  std::map<std::string, double> out;
  for (const Load& load : plain.loads()) {
    const bool routed = load.health == Health::kHealthy && !load.panic;
    const double by_zones = routed ? scenario.settings.enabled : 0;
    const double part = load.percent / 100.0;
    for (const auto& [address, share] : plain.sharesWithin(load)) out[address] += part * (1 - by_zones) * share;
    if (!routed) continue;
    for (const auto& [address, share] : zones.shares()) out[address] += part * by_zones * share;
  }
  return out;
}

std::map<std::string, double> sharesOf(const HostSet& hosts) {
  std::map<std::string, double> out;
  for (const HostSet::Tier& tier : hosts.tiers()) {
    double groups = 0;
    for (const HostSet::Group& group : tier.groups) groups += group.weight;
    for (const HostSet::Group& group : tier.groups) {
      double members = 0;
      for (const HostSet::Member& member : group.members) members += member.weight;
      for (const HostSet::Member& member : group.members) {
        out[hosts.host(member.slot)->addressText()] +=
            tier.percent / 100.0 * group.weight / groups * member.weight / members;
      }
    }
  }
  return out;
}

void checkShares(const ZoneScenario& scenario) {
  const std::map<std::string, double> expected = expectedOf(scenario), shares = sharesOf(*build(scenario));
  for (const auto& [address, share] : expected) {
    CAPTURE(address, scenario.own, scenario.settings.enabled);
    CHECK((shares.contains(address) ? shares.at(address) : 0) == Approx(share).margin(1e-9));
  }
  for (const auto& [address, share] : shares) {
    CAPTURE(address);
    CHECK((expected.contains(address) || share < 1e-9));
  }
}

void checkPicks(const upstream::lb::LbPolicy& policy, const ZoneScenario& scenario, uint64_t seed, int count) {
  const std::map<std::string, double> expected = expectedOf(scenario);
  upstream::lb::Picking picking(policy, build(scenario), seed);
  std::map<std::string, double> picks;
  for (const auto& [slot, times] : picking.pickMany(count)) {
    if (slot != kNoHost) picks[picking.hosts().hostPtr(slot)->addressText()] = times;
  }
  for (const auto& [address, share] : expected) {
    const double chance = 6 * std::sqrt(count * share * (1 - share));
    CAPTURE(address, picks[address], share * count);
    CHECK(std::abs(picks[address] - share * count) <= chance + 8 + 8 * share);
  }
}

}  // namespace

TEST_CASE("shares of hosts by zones are those of the reference") {
  int routed = 0;
  forEachSeed(4000, [&routed](uint64_t seed) {
    base::Random random(seed);
    const ZoneScenario scenario = zonesOf(random);
    checkShares(scenario);
    routed += Zones(scenario).possible();
  });
  CHECK(routed > 500);
  forEachSeed(20, [](uint64_t seed) {
    base::Random random(seed);
    checkShares(zonesOf(random, 1000));
  });
}

TEST_CASE("ROUND_ROBIN, LEAST_REQUEST and RANDOM pick hosts of zones as often as the reference says") {
  forEachSeed(150, [](uint64_t seed) {
    base::Random random(seed);
    const ZoneScenario scenario = zonesOf(random);
    checkPicks(policies::round_robin::Policy(), scenario, seed, 4000);
    checkPicks(policies::least_request::Policy({}), scenario, seed, 4000);
    checkPicks(policies::random::Policy(), scenario, seed, 4000);
  });
}

}  // namespace sluice::reference
