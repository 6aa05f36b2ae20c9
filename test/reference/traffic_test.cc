// How traffic is split over hosts, against the reference.
#include "test/reference/traffic.h"

#include <catch2/catch.hpp>

#include "source/extensions/load_balancing_policies/client_side_weighted_round_robin/policy.h"
#include "source/extensions/load_balancing_policies/least_request/policy.h"
#include "source/extensions/load_balancing_policies/random/policy.h"
#include "source/extensions/load_balancing_policies/round_robin/policy.h"
#include "source/extensions/load_balancing_policies/wrr_locality/policy.h"
#include "test/reference/seeds.h"
#include "test/support/upstream/picking.h"

namespace sluice::reference {
namespace {

namespace policies = extensions::load_balancing_policies;
using namespace std::chrono_literals;
using upstream::cluster::HostSet;
using upstream::cluster::HostSetPtr;
using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;
using upstream::lb::Picking;

std::string describe(const Scenario& scenario) {
  std::string out = "panic " + std::to_string(scenario.options.panic_threshold) + " factor " +
                    std::to_string(scenario.assignment.overprovisioning_factor) +
                    (scenario.options.locality_weighted ? " weighted" : "");
  for (const LocalityEndpoints& locality : scenario.assignment.localities) {
    if (locality.endpoints.size() > 10) return out;
    out += "\n  " + std::to_string(locality.priority) + locality.locality.zone + " " + std::to_string(locality.weight);
    for (const Endpoint& endpoint : locality.endpoints) {
      out += " " + std::to_string(endpoint.address.port()) + "*" + std::to_string(endpoint.weight) + "/" +
             std::to_string(static_cast<int>(endpoint.health));
    }
  }
  return out;
}

// What the tiers of a set come to, if members get what their weights say.
std::map<std::string, double> sharesOf(const HostSet& hosts) {
  std::map<std::string, double> out;
  for (const HostSet::Tier& tier : hosts.tiers()) {
    double groups = 0;
    for (const HostSet::Group& group : tier.groups) groups += static_cast<double>(group.weight);
    for (const HostSet::Group& group : tier.groups) {
      double members = 0;
      for (const HostSet::Member& member : group.members) members += member.weight;
      for (const HostSet::Member& member : group.members) {
        out[hosts.host(member.slot)->addressText()] +=
            tier.percent / 100.0 * static_cast<double>(group.weight) / groups * member.weight / members;
      }
    }
  }
  return out;
}

void checkShares(const Scenario& scenario) {
  INFO(describe(scenario));
  const std::map<std::string, double> expected = Traffic(scenario).shares();
  const std::map<std::string, double> shares =
      sharesOf(*HostSet::build(scenario.assignment, scenario.options, nullptr));

  REQUIRE(shares.size() == expected.size());
  double worst = 0;
  for (const auto& [address, share] : expected) {
    const auto found = shares.find(address);
    REQUIRE(found != shares.end());
    worst = std::max(worst, std::abs(found->second - share));
  }
  CHECK(worst < 1e-9);
}

void checkPanic(const Scenario& scenario) {
  uint32_t expected = 0, panic = 0;
  for (const Load& load : Traffic(scenario).loads()) expected += load.panic ? load.percent : 0;
  const HostSetPtr hosts = HostSet::build(scenario.assignment, scenario.options, nullptr);
  for (const HostSet::Tier& tier : hosts->tiers()) panic += tier.panic ? tier.percent : 0;
  CHECK(panic == expected);
}

// Picks of each address.
std::map<std::string, double> picksOf(Picking& picking, int count) {
  std::map<std::string, double> out;
  for (const auto& [slot, picks] : picking.pickMany(count)) {
    if (slot != kNoHost) out[picking.hosts().hostPtr(slot)->addressText()] = picks;
  }
  return out;
}

// That each host got what the reference says. Chance may be six deviations off (once in 500 million); besides, each of
// two schedules that take turns (localities, hosts) is a turn off, and a round if all of them begin at random.
void checkPicks(const upstream::lb::LbPolicy& policy, const Scenario& scenario, uint64_t seed, int count) {
  INFO(describe(scenario));
  const std::map<std::string, double> expected = Traffic(scenario).shares();
  const HostSetPtr hosts = HostSet::build(scenario.assignment, scenario.options, nullptr);
  Picking picking(policy, hosts, seed);
  // What goes by reports hears of the same weights.
  for (const HostSet::Entry& entry : hosts->entries()) {
    entry.host->monitor().loadWeight().report(entry.weight, picking.loop().now(), 180s);
  }
  picking.loop().advance(10s);

  const std::map<std::string, double> picks = picksOf(picking, count);

  for (const auto& [address, n] : picks) CHECK(expected.contains(address));
  for (const auto& [address, share] : expected) {
    const double got = picks.contains(address) ? picks.at(address) : 0;
    const double chance = 6 * std::sqrt(count * share * (1 - share));
    CAPTURE(address, got, share * count);
    CHECK(std::abs(got - share * count) <= chance + 4 + 8 * share);
  }
}

}  // namespace

TEST_CASE("tiers, localities and weights come to the shares of the reference, for few hosts") {
  forEachSeed(4000, [](uint64_t seed) {
    base::Random random(seed);
    const Scenario scenario = scenarioOf(random);
    checkShares(scenario);
    checkPanic(scenario);
  });
}

TEST_CASE("tiers, localities and weights come to the shares of the reference, for a thousand hosts") {
  forEachSeed(40, [](uint64_t seed) {
    base::Random random(seed);
    const Scenario scenario = scenarioOf(random, 1000);
    checkShares(scenario);
    checkPanic(scenario);
  });
}

TEST_CASE("a host whose endpoint or monitor changes its health gets what a cluster made anew gives it") {
  forEachSeed(300, [](uint64_t seed) {
    base::Random random(seed);
    Scenario scenario = scenarioOf(random);
    HostSetPtr hosts = HostSet::build(scenario.assignment, scenario.options, nullptr);
    for (int change = 0; change < 10; ++change) {
      for (LocalityEndpoints& locality : scenario.assignment.localities) {
        for (Endpoint& endpoint : locality.endpoints) {
          if (random.below(3) == 0)
            endpoint.health = oneOf(random, {Health::kHealthy, Health::kUnhealthy, Health::kDegraded});
        }
      }
      hosts = HostSet::build(scenario.assignment, scenario.options, hosts.get());
      const std::map<std::string, double> expected = Traffic(scenario).shares(), shares = sharesOf(*hosts);
      REQUIRE(shares.size() == expected.size());
      for (const auto& [address, share] : expected) CHECK(shares.at(address) == Approx(share).margin(1e-9));
    }
  });
}

TEST_CASE("ROUND_ROBIN, LEAST_REQUEST and RANDOM pick hosts as often as the reference says") {
  forEachSeed(100, [](uint64_t seed) {
    base::Random random(seed);
    const Scenario scenario = scenarioOf(random);
    checkPicks(policies::round_robin::Policy(true), scenario, seed, 4000);
    checkPicks(policies::least_request::Policy({}), scenario, seed, 4000);
    checkPicks(policies::random::Policy(true), scenario, seed, 4000);
  });
  forEachSeed(2, [](uint64_t seed) {
    base::Random random(seed);
    const Scenario scenario = scenarioOf(random, 1000);
    checkPicks(policies::round_robin::Policy(true), scenario, seed, 100000);
    checkPicks(policies::least_request::Policy({}), scenario, seed, 100000);
    checkPicks(policies::random::Policy(true), scenario, seed, 100000);
  });
}

TEST_CASE("policies inside wrr_locality pick hosts as often as the reference says where localities have weights") {
  const policies::wrr_locality::Policy robin(std::make_shared<policies::round_robin::Policy>());
  using ByLoad = policies::client_side_weighted_round_robin::Policy;
  const policies::wrr_locality::Policy by_load(
      std::make_shared<ByLoad>(policies::client_side_weighted_round_robin::Settings{}));
  forEachSeed(100, [&](uint64_t seed) {
    base::Random random(seed);
    Scenario scenario = scenarioOf(random);
    scenario.options.locality_weighted = robin.localityWeighted();
    checkPicks(robin, scenario, seed, 4000);
    checkPicks(by_load, scenario, seed, 4000);
  });
}

TEST_CASE("without chance a host is never more than a turn from its share") {
  forEachSeed(200, [](uint64_t seed) {
    base::Random random(seed);
    std::vector<uint32_t> weights(1 + random.below(5));
    uint32_t sum = 0;
    for (uint32_t& weight : weights) sum += weight = static_cast<uint32_t>(1 + random.below(10));
    const policies::round_robin::Policy policy;
    Picking picking(policy, upstream::lb::hostsOfWeights(weights), seed);
    std::vector<double> picks(weights.size());

    for (int n = 1; n <= 300; ++n) {
      ++picks[picking.pick()];
      for (size_t i = 0; i < weights.size(); ++i) {
        const double share = weights[i] / static_cast<double>(sum);
        // Each of the hosts begins anywhere in its turn.
        REQUIRE(std::abs(picks[i] - n * share) <= 1 + share * static_cast<double>(weights.size()) + 1e-6);
      }
    }
  });
}

namespace {

// LEAST_REQUEST among hosts of one weight: every way to draw `choices` hosts, the first with the fewest active requests
// of each.
std::vector<double> leastOfDraws(const std::vector<uint32_t>& active, uint32_t choices) {
  const size_t n = active.size();
  std::vector<double> out(n);
  size_t ways = 1;
  for (uint32_t i = 0; i < choices; ++i) ways *= n;
  for (size_t way = 0; way < ways; ++way) {
    size_t rest = way, best = rest % n;
    for (uint32_t i = 1; i < choices; ++i) {
      rest /= n;
      if (active[rest % n] < active[best]) best = rest % n;
    }
    out[best] += 1.0 / static_cast<double>(ways);
  }
  return out;
}

}  // namespace

TEST_CASE("LEAST_REQUEST prefers idle hosts as often as all draws together say, or as weight and bias do") {
  forEachSeed(150, [](uint64_t seed) {
    base::Random random(seed);
    std::vector<uint32_t> weights(1 + random.below(5), 1), active(weights.size());
    const bool equal = random.below(2) == 0;
    const policies::least_request::Settings settings{.choice_count = static_cast<uint32_t>(2 + random.below(3)),
                                                     .active_request_bias = oneOf(random, {0.0, 0.5, 1.0, 2.0})};
    for (uint32_t& weight : weights) weight = equal ? 1 : static_cast<uint32_t>(1 + random.below(9));
    for (uint32_t& count : active) count = static_cast<uint32_t>(random.below(4));
    if (!equal && std::all_of(weights.begin(), weights.end(), [&](uint32_t w) { return w == weights[0]; })) return;
    std::vector<double> expected = leastOfDraws(active, settings.choice_count);
    double sum = 0;
    for (size_t i = 0; !equal && i < weights.size(); ++i) {
      sum += expected[i] = weights[i] / std::pow(active[i] + 1.0, settings.active_request_bias);
    }
    for (double& share : expected) share /= equal ? 1 : sum;
    const policies::least_request::Policy policy(settings);
    Picking picking(policy, upstream::lb::hostsOfWeights(weights), seed);
    for (HostSlot slot = 0; slot < active.size(); ++slot) {
      for (uint32_t i = 0; i < active[slot]; ++i) picking.hosts().requestStarted(slot);
    }

    std::map<HostSlot, int> picks = picking.pickMany(4000);

    for (HostSlot slot = 0; slot < active.size(); ++slot) {
      const double share = expected[slot];
      // A schedule begins as if nobody was busy; that costs a host two turns at most.
      const double margin = equal ? 6 * std::sqrt(4000 * share * (1 - share)) + 1e-6
                                  : 2 + share * static_cast<double>(weights.size()) * 4;
      CAPTURE(equal, slot, picks[slot], 4000 * share);
      CHECK(std::abs(picks[slot] - 4000 * share) <= margin);
    }
  });
}

}  // namespace sluice::reference
