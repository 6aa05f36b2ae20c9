#include "source/upstream/lb/load_balancer.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <new>
#include <set>
#include <string>

namespace {
std::atomic<uint64_t> allocations{0};
}

// Counts the allocations of this test program.
void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace sluice::upstream::lb {
namespace {

using cluster::Assignment;
using cluster::Health;
using cluster::HostSet;
using cluster::HostSetPtr;
using cluster::HostSlot;
using cluster::kNoHost;
using cluster::LbConfig;
using cluster::LbPolicy;

HostSetPtr hostsOfWeights(const std::vector<uint32_t>& weights, const HostSet* previous = nullptr) {
  Assignment assignment;
  cluster::LocalityEndpoints& locality = assignment.localities.emplace_back();
  uint16_t port = 1;
  for (uint32_t weight : weights) {
    cluster::Endpoint& endpoint = locality.endpoints.emplace_back();
    endpoint.address = *net::Address::fromIp("10.0.0.1", port++);
    endpoint.weight = weight;
  }
  return HostSet::build(assignment, {}, previous);
}

std::unique_ptr<LoadBalancer> balancer(LbPolicy policy, HostSetPtr hosts, uint64_t seed = 1) {
  LbConfig config;
  config.policy = policy;
  auto lb = LoadBalancer::make(config, seed);
  lb->update(std::move(hosts));
  return lb;
}

std::map<HostSlot, int> pickMany(LoadBalancer& lb, int count) {
  std::map<HostSlot, int> picks;
  for (int i = 0; i < count; ++i) ++picks[lb.pick()];
  return picks;
}

TEST_CASE("a balancer without hosts picks none") {
  for (LbPolicy policy : {LbPolicy::kRoundRobin, LbPolicy::kLeastRequest, LbPolicy::kRandom}) {
    LbConfig config;
    config.policy = policy;

    CHECK(LoadBalancer::make(config, 1)->pick() == kNoHost);
    CHECK(balancer(policy, HostSet::empty())->pick() == kNoHost);
  }
}

TEST_CASE("picks in panic are counted, others are not") {
  const bool panic = GENERATE(false, true);
  Assignment assignment;
  cluster::LocalityEndpoints& locality = assignment.localities.emplace_back();
  for (uint16_t port = 1; port <= 4; ++port) {
    cluster::Endpoint& endpoint = locality.endpoints.emplace_back();
    endpoint.address = *net::Address::fromIp("10.0.0.1", port);
    endpoint.health = panic && port > 1 ? Health::kUnhealthy : Health::kHealthy;
  }
  observability::StatsRegistry registry;
  const observability::Counter panics = registry.counter("server.panics");
  auto lb = balancer(LbPolicy::kRoundRobin, HostSet::build(assignment, {}, nullptr));
  lb->countPanics(registry.makeCells(), panics);

  for (int i = 0; i < 10; ++i) CHECK(lb->pick() != kNoHost);

  CHECK(registry.counterValue(panics) == (panic ? 10 : 0));
}

TEST_CASE("round robin takes equal hosts in turn") {
  auto lb = balancer(LbPolicy::kRoundRobin, hostsOfWeights({7, 7, 7}));

  const HostSlot first = lb->pick();

  for (HostSlot i = 1; i < 30; ++i) CHECK(lb->pick() == (first + i) % 3);
}

TEST_CASE("round robin starts at different hosts on different workers") {
  const HostSetPtr hosts = hostsOfWeights(std::vector<uint32_t>(100, 1));
  std::set<HostSlot> starts;

  for (uint64_t worker = 0; worker < 8; ++worker) starts.insert(balancer(LbPolicy::kRoundRobin, hosts, worker)->pick());

  CHECK(starts.size() >= 6);
}

TEST_CASE("weighted round robin follows the weights exactly and spreads them evenly") {
  auto lb = balancer(LbPolicy::kRoundRobin, hostsOfWeights({1, 2, 7}));

  std::map<HostSlot, int> picks = pickMany(*lb, 1000);

  CHECK(picks[0] == Approx(100).margin(2));
  CHECK(picks[1] == Approx(200).margin(2));
  CHECK(picks[2] == Approx(700).margin(2));
  std::map<HostSlot, int> window = pickMany(*lb, 10);
  CHECK(window[2] >= 6);
  CHECK(window[2] <= 8);
}

TEST_CASE("random follows the weights within statistical error") {
  auto equal = balancer(LbPolicy::kRandom, hostsOfWeights({5, 5, 5, 5}), 3);
  auto weighted = balancer(LbPolicy::kRandom, hostsOfWeights({1, 0x40000000, 0x40000000 * 2u}), 4);

  std::map<HostSlot, int> equal_picks = pickMany(*equal, 40000);
  std::map<HostSlot, int> weighted_picks = pickMany(*weighted, 30000);

  for (HostSlot slot = 0; slot < 4; ++slot) CHECK(equal_picks[slot] == Approx(10000).margin(400));
  CHECK(weighted_picks[0] <= 1);
  CHECK(weighted_picks[1] == Approx(10000).margin(400));
  CHECK(weighted_picks[2] == Approx(20000).margin(400));
}

TEST_CASE("least request prefers the host with fewer active requests") {
  auto lb = balancer(LbPolicy::kLeastRequest, hostsOfWeights({1, 1}));
  for (int i = 0; i < 5; ++i) lb->requestStarted(0);

  std::map<HostSlot, int> picks = pickMany(*lb, 10000);

  CHECK(picks[0] == Approx(2500).margin(200));  // both choices fell on it
  CHECK(picks[1] == Approx(7500).margin(200));
}

TEST_CASE("least request with long requests evens out the load") {
  auto lb = balancer(LbPolicy::kLeastRequest, hostsOfWeights(std::vector<uint32_t>(10, 1)));

  for (int i = 0; i < 1000; ++i) lb->requestStarted(lb->pick());

  for (HostSlot slot = 0; slot < 10; ++slot) CHECK(lb->activeRequests(slot) == Approx(100).margin(4));
}

TEST_CASE("weighted least request follows the weights and shuns busy hosts") {
  auto lb = balancer(LbPolicy::kLeastRequest, hostsOfWeights({1, 3}));
  std::map<HostSlot, int> idle = pickMany(*lb, 4000);
  for (int i = 0; i < 8; ++i) lb->requestStarted(1);
  std::map<HostSlot, int> busy = pickMany(*lb, 4000);

  CHECK(idle[1] == Approx(3000).margin(10));
  CHECK(busy[1] == Approx(1000).margin(10));  // weight 3 / 9 against 1
}

TEST_CASE("active request bias 0 leaves the weights alone") {
  LbConfig config;
  config.policy = LbPolicy::kLeastRequest;
  config.active_request_bias = 0;
  auto lb = LoadBalancer::make(config, 1);
  lb->update(hostsOfWeights({1, 3}));
  for (int i = 0; i < 8; ++i) lb->requestStarted(1);

  CHECK(pickMany(*lb, 4000)[1] == Approx(3000).margin(10));
}

TEST_CASE("picking a host allocates nothing") {
  const bool equal = GENERATE(true, false);
  const HostSetPtr hosts = hostsOfWeights(equal ? std::vector<uint32_t>(50, 1) : std::vector<uint32_t>{1, 2, 3, 4, 5});
  for (LbPolicy policy : {LbPolicy::kRoundRobin, LbPolicy::kLeastRequest, LbPolicy::kRandom}) {
    auto lb = balancer(policy, hosts);
    const uint64_t before = allocations;

    for (int i = 0; i < 1000; ++i) lb->requestStarted(lb->pick());

    const uint64_t after = allocations;
    CHECK(after == before);
  }
}

TEST_CASE("a larger choice count looks at more hosts") {
  LbConfig config;
  config.policy = LbPolicy::kLeastRequest;
  config.choice_count = 8;
  auto lb = LoadBalancer::make(config, 1);
  lb->update(hostsOfWeights({1, 1}));
  lb->requestStarted(0);

  CHECK(pickMany(*lb, 10000)[0] == Approx(10000.0 / 256).margin(25));
}

TEST_CASE("hosts that stay keep their active requests over an update, others do not inherit them") {
  const HostSetPtr before = hostsOfWeights({1, 1});
  auto lb = balancer(LbPolicy::kLeastRequest, before);
  const cluster::HostPtr stays = before->hostPtr(0);
  const cluster::HostPtr leaves = before->hostPtr(1);
  lb->requestStarted(0);
  lb->requestStarted(1);
  Assignment assignment;
  assignment.localities.resize(1);
  assignment.localities[0].endpoints.resize(2);
  assignment.localities[0].endpoints[0].address = stays->address();
  assignment.localities[0].endpoints[1].address = *net::Address::fromIp("10.0.0.9", 9);

  lb->update(HostSet::build(assignment, {}, before.get()));

  CHECK(lb->activeRequests(0) == 1);
  CHECK(lb->activeRequests(1) == 0);
  lb->requestFinished(*leaves);
  CHECK(lb->activeRequests(1) == 0);
  lb->requestFinished(*stays);
  CHECK(lb->activeRequests(0) == 0);
}

TEST_CASE("tiers get their shares and localities their weights") {
  Assignment assignment;
  uint16_t port = 1;
  auto add = [&](uint32_t priority, uint32_t weight, const char* zone, Health health) {
    cluster::LocalityEndpoints& locality = assignment.localities.emplace_back();
    locality.priority = priority;
    locality.weight = weight;
    locality.locality.zone = zone;
    cluster::Endpoint& endpoint = locality.endpoints.emplace_back();
    endpoint.address = *net::Address::fromIp("10.0.0.1", port++);
    endpoint.health = health;
  };
  add(0, 1, "a", Health::kHealthy);    // slot 0
  add(0, 3, "b", Health::kHealthy);    // slot 1
  add(0, 1, "c", Health::kUnhealthy);  // slot 2
  add(0, 1, "d", Health::kUnhealthy);  // slot 3
  add(1, 1, "a", Health::kHealthy);    // slot 4
  auto lb = balancer(LbPolicy::kRoundRobin, HostSet::build(assignment, {50.0, true}, nullptr));

  std::map<HostSlot, int> picks = pickMany(*lb, 10000);

  CHECK(picks[0] == Approx(1750).margin(150));  // priority 0 can take 140% of 2/4 = 70%, split 1:3
  CHECK(picks[1] == Approx(5250).margin(150));
  CHECK(picks[4] == Approx(3000).margin(150));
  CHECK(picks.size() == 3);
}

}  // namespace
}  // namespace sluice::upstream::lb
