// RING_HASH and MAGLEV against naive tables, with priorities, localities, weights, keys and retries.
#include "test/reference/tables.h"

#include <catch2/catch.hpp>
#include <optional>

#include "source/extensions/load_balancing_policies/maglev/policy.h"
#include "source/extensions/load_balancing_policies/ring_hash/policy.h"
#include "test/reference/seeds.h"
#include "test/support/upstream/picking.h"

namespace sluice::reference {
namespace {

namespace policies = extensions::load_balancing_policies;
using upstream::cluster::Host;
using upstream::cluster::HostSet;
using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;
using upstream::lb::LbContext;
using upstream::lb::Picking;

// A request by hash whose first `refusals` choices are refused.
struct Request final : LbContext {
  Request(uint64_t its_hash, uint32_t refusals) : value(its_hash) { repicks = refusals; }
  std::optional<uint64_t> hash() const override { return value; }
  bool refuses(const Host&) const override { return true; }
  uint64_t value;
};

// Any number, or one at or beside a place where a host stands on a ring.
uint64_t randomHash(base::Random& random, const Scenario& scenario, bool use_hostname) {
  const auto& localities = scenario.assignment.localities;
  const std::vector<Endpoint>& endpoints = localities[random.below(localities.size())].endpoints;
  if (endpoints.empty() || random.below(3) != 0) return random.next();
  const Endpoint& endpoint = endpoints[random.below(endpoints.size())];
  return base::xxHash64(keyOf(endpoint, use_hostname) + "_" + std::to_string(random.below(10))) + random.below(3) - 1;
}

// Asks the policy and the naive tables for `requests` hashes.
template <typename Naive>
void compare(const upstream::lb::LbPolicy& policy, const Scenario& scenario, bool use_hostname, base::Random& random,
             int requests, const std::function<Naive(const std::vector<Candidate>&)>& make) {
  const std::vector<Load> loads = Traffic(scenario).loads();
  std::vector<std::optional<Naive>> tables(loads.size());
  Picking picking(policy, HostSet::build(scenario.assignment, scenario.options, nullptr));
  for (int i = 0; i < requests; ++i) {
    const uint64_t hash = randomHash(random, scenario, use_hostname);
    const auto attempt = static_cast<uint32_t>(random.below(4));
    const Load* const load = loadAt(loads, hash);
    std::string expected = "none";
    if (load != nullptr) {
      auto& table = tables[static_cast<size_t>(load - loads.data())];
      if (!table) table.emplace(make(candidatesOf(scenario, *load, use_hostname)));
      expected = table->at(hash, attempt);
    }

    const HostSlot slot = picking.pick(Request(hash, attempt));

    CAPTURE(hash, attempt);
    REQUIRE((slot == kNoHost ? "none" : picking.hosts().hostPtr(slot)->addressText()) == expected);
  }
}

void compareRing(base::Random& random, const Scenario& scenario, uint64_t minimum, int requests) {
  policies::ring_hash::Settings settings{.locality_weighted = scenario.options.locality_weighted};
  settings.hashing.use_hostname = random.below(2) == 0;
  settings.minimum_size = minimum;
  if (random.below(3) == 0) settings.maximum_size = minimum + random.below(minimum);
  compare<NaiveRing>(policies::ring_hash::Policy(settings), scenario, settings.hashing.use_hostname, random, requests,
                     [&](auto& hosts) { return NaiveRing(hosts, settings.minimum_size, settings.maximum_size); });
}

void compareMaglev(base::Random& random, const Scenario& scenario, uint64_t size, int requests) {
  policies::maglev::Settings settings{.locality_weighted = scenario.options.locality_weighted};
  settings.hashing.use_hostname = random.below(2) == 0;
  settings.table_size = size;
  compare<NaiveMaglev>(policies::maglev::Policy(settings), scenario, settings.hashing.use_hostname, random, requests,
                       [&](auto& hosts) { return NaiveMaglev(hosts, size); });
}

}  // namespace

TEST_CASE("RING_HASH chooses the hosts that a naive ring does") {
  forEachSeed(500, [](uint64_t seed) {
    base::Random random(seed);
    const Scenario scenario = scenarioOf(random);
    compareRing(random, scenario, 1 + random.below(200), 60);
  });
  forEachSeed(2, [](uint64_t seed) {
    base::Random random(seed);
    const Scenario scenario = scenarioOf(random, 1000);
    compareRing(random, scenario, 1024, 200);
  });
}

TEST_CASE("MAGLEV chooses the hosts that the paper's table does") {
  forEachSeed(300, [](uint64_t seed) {
    base::Random random(seed);
    const Scenario scenario = scenarioOf(random);
    compareMaglev(random, scenario, oneOf(random, {11u, 101u, 251u}), 60);
  });
  forEachSeed(1, [](uint64_t seed) {
    base::Random random(seed);
    const Scenario scenario = scenarioOf(random, 1000);
    compareMaglev(random, scenario, 2003, 1000);
    compareMaglev(random, scenarioOf(random), 65537, 1000);
  });
}

}  // namespace sluice::reference
