#include "source/extensions/load_balancing_policies/ring_hash/policy.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "source/base/murmur_hash.h"
#include "source/base/xx_hash.h"
#include "test/support/upstream/picking.h"

namespace sluice::extensions::load_balancing_policies::ring_hash {
namespace {

using upstream::cluster::Assignment;
using upstream::cluster::Endpoint;
using upstream::cluster::Health;
using upstream::cluster::HostSet;
using upstream::cluster::HostSetPtr;
using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;
using upstream::lb::Hashed;
using upstream::lb::HashTier;
using upstream::lb::hostsFromPort;
using upstream::lb::hostsOfWeights;
using upstream::lb::Picking;

uint64_t hashOf(int user) {
  return base::xxHash64("user" + std::to_string(user));
}

std::vector<HostSlot> picksOf(Picking& picking, int users) {
  std::vector<HostSlot> out;
  for (int user = 0; user < users; ++user) out.push_back(picking.pick(Hashed(hashOf(user))));
  return out;
}

Ring ringOf(const HostSetPtr& hosts, const Settings& settings) {
  return Ring(HashTier(*hosts, hosts->tiers().front(), settings.hashing.use_hostname), settings);
}

// Two endpoints each.
Assignment localitiesOfWeights(std::initializer_list<uint32_t> weights) {
  Assignment out;
  for (const uint32_t weight : weights) {
    auto& locality = out.localities.emplace_back();
    locality.locality.zone = "z" + std::to_string(weight);
    locality.weight = weight;
    for (uint16_t i = 0; i < 2; ++i) {
      locality.endpoints.emplace_back().address =
          *net::Address::fromIp("10.0.0.1", static_cast<uint16_t>(10 * weight + i));
    }
  }
  return out;
}

TEST_CASE("where traffic is to fail in panic no host is chosen then") {
  Assignment assignment;
  auto& endpoint = assignment.localities.emplace_back().endpoints.emplace_back();
  endpoint.address = *net::Address::fromIp("10.0.0.1", 1);
  endpoint.health = Health::kUnhealthy;
  const Policy policy{Settings{}};
  Picking all(policy, HostSet::build(assignment, {}, nullptr));
  Picking none(policy, HostSet::build(assignment, {.fail_on_panic = true}, nullptr));
  const Hashed request(1);
  CHECK(all.pick(request) == 0);
  CHECK(request.panicked);
  CHECK(none.pick(request) == kNoHost);
  CHECK(none.panics() == 1);
}

TEST_CASE("without hosts none is picked, and with one that one") {
  const Policy policy{Settings{}};

  CHECK(Picking(policy).pick(Hashed(1)) == kNoHost);
  CHECK(Picking(policy, hostsOfWeights({1})).pick(Hashed(UINT64_MAX)) == 0);
  CHECK(Picking(policy, hostsOfWeights({1})).pick(Hashed(0)) == 0);
}

TEST_CASE("hosts stand where Envoy's tests publish that they do") {
  const Ring ring = ringOf(hostsFromPort(90, {1, 1, 1, 1, 1, 1}), {.minimum_size = 12});
  const std::vector<std::pair<uint64_t, uint32_t>> published = {
      {833437586790550860u, 4},   {928266305478181108u, 2},   {1033482794131418490u, 0},  {3551244743356806947u, 5},
      {3851675632748031481u, 3},  {5583722120771150861u, 1},  {6311230543546372928u, 1},  {7700377290971790572u, 3},
      {13144177310400110813u, 5}, {13444792449719432967u, 2}, {15516499411664133160u, 4}, {16117243373044804889u, 0}};

  REQUIRE(ring.size() == published.size());
  for (size_t i = 0; i < published.size(); ++i) {
    CHECK(ring.place(i) == published[i].first);
    CHECK(ring.at(published[i].first, 0) == published[i].second);
    CHECK(ring.at(published[i].first - 1, 0) == published[i].second);
    CHECK(ring.at(published[i].first + 1, 0) == published[(i + 1) % published.size()].second);
    CHECK(ring.at(published[i].first, 2) == published[(i + 2) % published.size()].second);
  }
  CHECK(ring.at(0, 0) == 4);
  CHECK(ring.at(UINT64_MAX, 0) == 4);
}

TEST_CASE("requests go where a reference in another language sends them, by weights") {
  const Policy weighted{Settings{.minimum_size = 64}};
  const Policy by_default{Settings{}};
  Picking five(weighted, hostsOfWeights({1, 2, 3, 4, 7}));
  Picking hundred(by_default, hostsOfWeights(std::vector<uint32_t>(100, 1)));

  CHECK(picksOf(five, 40) == std::vector<HostSlot>{3, 0, 0, 0, 2, 2, 2, 3, 4, 3, 3, 0, 0, 1, 2, 4, 2, 3, 1, 3,
                                                   4, 1, 2, 0, 4, 3, 1, 3, 1, 0, 3, 2, 4, 4, 3, 4, 4, 3, 4, 0});
  CHECK(picksOf(hundred, 20) ==
        std::vector<HostSlot>{80, 55, 15, 12, 59, 2, 5, 75, 36, 69, 59, 39, 62, 78, 26, 47, 93, 89, 17, 85});
}

TEST_CASE("a ring is as large as its lightest host needs, within its limits") {
  CHECK(ringOf(hostsOfWeights({1, 2, 3, 4, 7}), {.minimum_size = 64}).size() == 68);
  CHECK(ringOf(hostsOfWeights(std::vector<uint32_t>(100, 1)), {}).size() == 1100);
  CHECK(ringOf(hostsOfWeights({1, 1000}), {.minimum_size = 64, .maximum_size = 100}).size() == 100);
}

TEST_CASE("MurmurHash2 is the hash of the standard library") {
  for (const std::string text : {"", "a", "1234567", "12345678", "127.0.0.1:80_12", "0123456789abcdef01"}) {
    CHECK(base::murmurHash2(text, base::kMurmurSeed) == std::hash<std::string>{}(text));
  }
  const Ring ring = ringOf(hostsFromPort(90, {1, 1}), {.murmur = true, .minimum_size = 2});
  CHECK(ring.place(0) == std::min(base::murmurHash2("127.0.0.1:90_0", base::kMurmurSeed),
                                  base::murmurHash2("127.0.0.1:91_0", base::kMurmurSeed)));
}

TEST_CASE("when a host goes only its own requests move, if the others keep as many places") {
  const Policy of_four{Settings{.minimum_size = 1000}};
  const Policy of_three{Settings{.minimum_size = 750}};
  Picking four(of_four, hostsFromPort(90, {1, 1, 1, 1}));
  Picking three(of_three, hostsFromPort(90, {1, 1, 1}));
  const std::vector<HostSlot> before = picksOf(four, 1000);
  const std::vector<HostSlot> after = picksOf(three, 1000);

  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i] != 3) CHECK(before[i] == after[i]);
  }
}

TEST_CASE("without a hash hosts are picked at random") {
  const Policy policy{Settings{}};
  Picking picking(policy, hostsOfWeights({1, 1}));

  std::map<HostSlot, int> picks = picking.pickMany(10000);

  CHECK(picks[0] > 3000);
  CHECK(picks[1] > 3000);
}

TEST_CASE("a host that is refused is left for the next on the ring") {
  const Policy policy{Settings{.minimum_size = 12}};
  Picking picking(policy, hostsFromPort(90, {1, 1, 1, 1, 1, 1}));
  Hashed request(833437586790550860u);
  request.repicks = 3;
  request.refused = {4};

  CHECK(picking.pick(request) == 2);
  request.refused = {4, 2, 0};
  CHECK(picking.pick(request) == 5);
  request.repicks = 2;
  CHECK(picking.pick(request) == 0);  // the last choice holds
}

TEST_CASE("the hash chooses the priority as it chooses the host") {
  Assignment assignment;
  for (uint32_t priority = 0; priority < 2; ++priority) {
    auto& locality = assignment.localities.emplace_back();
    locality.priority = priority;
    for (uint16_t i = 0; i < 4; ++i) {
      Endpoint& endpoint = locality.endpoints.emplace_back();
      endpoint.address = *net::Address::fromIp("10.0.0.1", static_cast<uint16_t>(priority * 100 + i + 1));
      if (priority == 0 && i < 2) endpoint.health = Health::kUnhealthy;
    }
  }
  const Policy policy{Settings{}};
  Picking picking(policy, HostSet::build(assignment, {}, nullptr));

  // Half of priority 0 is there: 140% of that, 70%, stays.
  for (uint64_t hash = 0; hash < 1000; ++hash) CHECK((picking.pick(Hashed(hash)) < 4) == (hash % 100 < 70));
}

TEST_CASE("localities share the ring by their weights") {
  const Assignment assignment = localitiesOfWeights({1, 3});
  const HostSetPtr hosts = HostSet::build(assignment, {.locality_weighted = true}, nullptr);
  const HashTier tier(*hosts, hosts->tiers().front(), false);

  REQUIRE(tier.members.size() == 4);
  CHECK(tier.members[0].weight == 0.125);
  CHECK(tier.members[3].weight == 0.375);
  CHECK(tier.least_weight == 0.125);
  CHECK(tier.greatest_weight == 0.375);
}

TEST_CASE("hosts keep their places when all of another locality fail") {
  Assignment assignment = localitiesOfWeights({1, 3});
  const auto sizeOf = [&] {
    return ringOf(HostSet::build(assignment, {.panic_threshold = 0, .locality_weighted = true}, nullptr),
                  {.minimum_size = 80})
        .size();
  };
  CHECK(sizeOf() == 80);
  for (Endpoint& endpoint : assignment.localities[1].endpoints) endpoint.health = Health::kUnhealthy;

  CHECK(sizeOf() == 20);
}

TEST_CASE("a host is known by its hash_key, its hostname or its address") {
  Assignment assignment;
  auto& endpoints = assignment.localities.emplace_back().endpoints;
  for (uint16_t port = 1; port <= 3; ++port) endpoints.emplace_back().address = *net::Address::fromIp("10.0.0.1", port);
  endpoints[0].hostname = "a.test";
  endpoints[1].hostname = "b.test";
  stream::MetadataFields lb{{"hash_key", {std::string("key")}}};
  endpoints[1].metadata = stream::FixedMetadata({{"envoy.lb", {lb}}}, "1");
  const HostSetPtr hosts = HostSet::build(assignment, {}, nullptr);

  const HashTier by_address(*hosts, hosts->tiers().front(), false);
  const HashTier by_name(*hosts, hosts->tiers().front(), true);

  CHECK(by_address.members[0].key == "10.0.0.1:1");
  CHECK(by_address.members[1].key == "key");
  CHECK(by_name.members[0].key == "a.test");
  CHECK(by_name.members[1].key == "key");
  CHECK(by_name.members[2].key == "10.0.0.1:3");
}

TEST_CASE("with a balance factor no host gets more than its share times the factor") {
  const Policy policy{Settings{.hashing = {.balance_factor = 150}}};
  Picking picking(policy, hostsOfWeights({1, 1, 1, 1}));
  const Hashed one_request(hashOf(1));
  const HostSlot home = picking.pick(one_request);

  for (int i = 0; i < 400; ++i) picking.hosts().requestStarted(picking.pick(one_request));

  CHECK(picking.hosts().activeRequests(home) == Approx(150).margin(2));
  for (HostSlot slot = 0; slot < 4; ++slot) CHECK(picking.hosts().activeRequests(slot) <= 151);
  CHECK(picking.hosts().totalActive() == 400);
}

TEST_CASE("the order of a seed has every number once") {
  for (const uint32_t count : {1u, 2u, 3u, 4u, 6u, 100u}) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      upstream::lb::SeededOrder order(seed, count, upstream::lb::SeededOrder::primeFor(count));
      std::vector<uint32_t> seen;
      for (uint32_t i = 0; i < count; ++i) seen.push_back(order.next());
      std::sort(seen.begin(), seen.end());
      for (uint32_t i = 0; i < count; ++i) CHECK(seen[i] == i);
    }
  }
}

}  // namespace
}  // namespace sluice::extensions::load_balancing_policies::ring_hash
