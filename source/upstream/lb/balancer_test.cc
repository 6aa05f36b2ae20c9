#include "source/upstream/lb/balancer.h"

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "source/base/arena.h"
#include "test/support/upstream/picking.h"
#include "test/support/upstream/policies.h"

namespace sluice::upstream::lb {
namespace {

using cluster::Assignment;
using cluster::Health;
using cluster::HostSet;
using cluster::HostSetPtr;
using cluster::HostSlot;
using cluster::kNoHost;

// Four hosts, of which the first `healthy` are.
HostSetPtr fourHosts(int healthy, cluster::HostSetOptions options = {}) {
  Assignment assignment;
  cluster::LocalityEndpoints& locality = assignment.localities.emplace_back();
  for (uint16_t port = 1; port <= 4; ++port) {
    cluster::Endpoint& endpoint = locality.endpoints.emplace_back();
    endpoint.address = *net::Address::fromIp("10.0.0.1", port);
    endpoint.health = port > healthy ? Health::kUnhealthy : Health::kHealthy;
  }
  return HostSet::build(assignment, options, nullptr);
}

TEST_CASE("without hosts none is picked, and without a policy neither") {
  const InTurn policy;
  CHECK(Picking(policy).pick() == kNoHost);

  event::SimulatedLoop loop;
  observability::StatsRegistry registry;
  Balancer none(nullptr, {loop.timers(), registry.makeCells(), {}, base::Random(1), HostTable()},
                LbPolicy::prepare(nullptr, fourHosts(4)));
  CHECK(none.pick({}) == kNoHost);
}

TEST_CASE("picks in panic are counted, others are not") {
  const bool panic = GENERATE(false, true);
  const InTurn policy;
  Picking picking(policy, fourHosts(panic ? 1 : 4));

  for (int i = 0; i < 10; ++i) CHECK(picking.pick() != kNoHost);

  CHECK(picking.panics() == (panic ? 10 : 0));
}

TEST_CASE("a pick in panic is told, and is for no host where traffic is to fail then") {
  const InTurn policy;
  const LbContext calm, panicked, failed;
  CHECK(Picking(policy, fourHosts(4, {.fail_on_panic = true})).pick(calm) != kNoHost);
  CHECK_FALSE(calm.panicked);
  CHECK(Picking(policy, fourHosts(1)).pick(panicked) != kNoHost);
  CHECK(panicked.panicked);
  Picking failing(policy, fourHosts(1, {.fail_on_panic = true}));
  CHECK(failing.pick(failed) == kNoHost);
  CHECK(failed.panicked);
  CHECK(failing.panics() == 1);
}

TEST_CASE("traffic fails in the priorities that are in panic only") {
  Assignment assignment;
  for (uint16_t i = 0; i < 9; ++i) {
    if (i == 0 || i == 4) assignment.localities.emplace_back().priority = i / 4;
    cluster::Endpoint& endpoint = assignment.localities.back().endpoints.emplace_back();
    endpoint.address = *net::Address::fromIp("10.0.0.1", static_cast<uint16_t>(i + 1));
    endpoint.health = i == 0 || i == 4 || i == 5 ? Health::kHealthy : Health::kUnhealthy;
  }
  const InTurn policy;
  Picking picking(policy, HostSet::build(assignment, {.panic_threshold = 30, .fail_on_panic = true}, nullptr));
  std::map<HostSlot, int> picks = picking.pickMany(10000);
  // A quarter of the first priority is healthy, two fifths of the second: they have 35 and 56 of 91.
  CHECK(picks.size() == 3);
  CHECK(picks[kNoHost] == Approx(3900).margin(200));
  CHECK(picks[4] + picks[5] == Approx(6100).margin(200));
}

// A balancer over the hosts in turn, which makes choices ahead.
struct Ahead {
  explicit Ahead(HostSetPtr hosts)
      : balancer(&policy, {loop.timers(), registry.makeCells(), {}, base::Random(1), HostTable()},
                 LbPolicy::prepare(&policy, std::move(hosts))) {}

  InTurn policy;
  event::SimulatedLoop loop;
  observability::StatsRegistry registry;
  Balancer balancer;
};

TEST_CASE("what was looked at ahead is chosen in that order, and then what follows") {
  Ahead t(fourHosts(4));
  CHECK(t.balancer.pick({}) == 0);
  CHECK(t.balancer.lookAhead() == 1);
  CHECK(t.balancer.lookAhead() == 2);
  for (const HostSlot slot : {1, 2, 3, 0}) CHECK(t.balancer.pick({}) == slot);
}

TEST_CASE("no more choices are made ahead than there are hosts, and other hosts forget them") {
  Ahead t(fourHosts(4));
  for (int i = 0; i < 4; ++i) CHECK(t.balancer.lookAhead() != kNoHost);
  CHECK(t.balancer.lookAhead() == kNoHost);
  t.balancer.update(LbPolicy::prepare(&t.policy, fourHosts(2)));
  CHECK(t.balancer.lookAhead() < 2);
  CHECK(t.balancer.pick({}) < 2);
  t.balancer.update(LbPolicy::prepare(&t.policy, HostSet::empty()));
  CHECK(t.balancer.lookAhead() == kNoHost);
}

TEST_CASE("a choice in panic that was made ahead is told to who gets it") {
  Ahead t(fourHosts(1));
  CHECK(t.balancer.lookAhead() != kNoHost);
  const LbContext context;
  CHECK(t.balancer.pick(context) != kNoHost);
  CHECK(context.panicked);
}

TEST_CASE("a retry that refuses what was chosen ahead gets what follows") {
  Ahead t(fourHosts(4));
  CHECK(t.balancer.lookAhead() == 0);
  Hashed retry(1);
  retry.refused = {0};
  retry.repicks = 3;
  CHECK(t.balancer.pick(retry) == 1);
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
  const InTurn policy;
  Picking picking(policy, HostSet::build(assignment, {50.0, true}, nullptr));

  std::map<HostSlot, int> picks = picking.pickMany(10000);

  CHECK(picks[0] == Approx(1750).margin(150));  // priority 0 can take 140% of 2/4 = 70%, split 1:3
  CHECK(picks[1] == Approx(5250).margin(150));
  CHECK(picks[4] == Approx(3000).margin(150));
  CHECK(picks.size() == 3);
}

TEST_CASE("hosts that stay keep their active requests over an update, others do not inherit them") {
  const InTurn policy;
  const HostSetPtr before = hostsOfWeights({1, 1});
  Picking picking(policy, before);
  const cluster::HostPtr stays = before->hostPtr(0);
  const cluster::HostPtr leaves = before->hostPtr(1);
  picking.hosts().requestStarted(0);
  picking.hosts().requestStarted(1);
  Assignment assignment;
  assignment.localities.resize(1);
  assignment.localities[0].endpoints.resize(2);
  assignment.localities[0].endpoints[0].address = stays->address();
  assignment.localities[0].endpoints[1].address = *net::Address::fromIp("10.0.0.9", 9);

  picking.update(HostSet::build(assignment, {}, before.get()));

  CHECK(picking.hosts().activeRequests(0) == 1);
  CHECK(picking.hosts().activeRequests(1) == 0);
  picking.hosts().requestFinished(*leaves);
  CHECK(picking.hosts().activeRequests(1) == 0);
  picking.hosts().requestFinished(*stays);
  CHECK(picking.hosts().activeRequests(0) == 0);
}

TEST_CASE("a policy of its own sees who asks, and its tables are made once for all workers") {
  base::Arena arena;
  http::RequestHeaders request(arena);
  request.add("x-host", "10.0.0.1:3");
  struct Hashed : LbContext {
    std::optional<uint64_t> hash() const override { return 6; }
  } hashed;
  const ByHeader policy("x-host");
  const PreparedHosts prepared = LbPolicy::prepare(&policy, hostsOfWeights({1, 1, 1, 1}));
  event::SimulatedLoop loop;
  observability::StatsRegistry registry;
  Balancer balancer(&policy, {loop.timers(), registry.makeCells(), {}, base::Random(1), HostTable()}, prepared);
  Balancer other(&policy, {loop.timers(), registry.makeCells(), {}, base::Random(2), HostTable()}, prepared);
  LbContext asker;

  CHECK(balancer.pick(asker) == 0);
  CHECK(balancer.pick(hashed) == 2);
  asker.headers = &request;
  CHECK(balancer.pick(asker) == 2);
  CHECK(other.pick(hashed) == 2);
  CHECK(policy.built() == 1);
}

TEST_CASE("a host that is refused is chosen only if the policy insists") {
  const InTurn policy;
  Picking picking(policy, hostsOfWeights({1, 1, 1}));
  struct Choosy : LbContext {
    bool refuses(const cluster::Host& host) const override { return host.slot() < 2; }
  } retry;
  retry.repicks = 3;

  CHECK(picking.pick(retry) == 2);
  CHECK(retry.repicked == 2);
  CHECK(picking.pick(retry) == 2);  // past 0 and 1
  retry.repicks = 0;
  CHECK(picking.pick(retry) == 0);
  retry.repicks = 1;
  CHECK(picking.pick(retry) == 2);
  CHECK(retry.repicked == 1);
}

TEST_CASE("a choice may pass over priorities whose hosts are all healthy") {
  Assignment assignment;
  for (uint32_t priority = 0; priority < 3; ++priority) {
    cluster::LocalityEndpoints& locality = assignment.localities.emplace_back();
    locality.priority = priority;
    locality.endpoints.emplace_back().address = *net::Address::fromIp("10.0.0.1", static_cast<uint16_t>(1 + priority));
  }
  const InTurn policy;
  Picking picking(policy, HostSet::build(assignment, {}, nullptr));
  base::PrioritySet passed_over;
  LbContext retry;
  retry.passed_over = &passed_over;

  CHECK(picking.pick() == 0);
  CHECK(picking.pick(retry) == 0);
  passed_over.set(0);
  CHECK(picking.pick(retry) == 1);
  passed_over.set(1);
  CHECK(picking.pick(retry) == 2);
  passed_over.set(2);
  CHECK(picking.pick(retry) == 0);
  CHECK(picking.pickMany(100)[0] == 100);
}

TEST_CASE("a wanted host is taken if it may get requests, whatever the policy says") {
  const InTurn policy;
  Picking picking(policy, fourHosts(3));
  OverrideHost wanted{*net::Address::fromIp("10.0.0.1", 2)};
  LbContext asker;
  asker.override_host = &wanted;

  CHECK(picking.pick(asker) == 1);
  CHECK(picking.pick(asker) == 1);
  wanted.address = *net::Address::fromIp("10.0.0.1", 4);  // unhealthy
  CHECK(picking.pick(asker) == 0);
  wanted.strict = true;
  CHECK(picking.pick(asker) == kNoHost);
}

TEST_CASE("hosts that a picker makes itself stay when main publishes none") {
  std::vector<HostSlot> gone;
  HostTable table([&gone](HostSlot slot) { gone.push_back(slot); });
  const HostSlot first = table.make(*net::Address::fromIp("10.0.0.1", 1));
  const HostSlot second = table.make(*net::Address::fromIp("10.0.0.1", 2));
  table.requestStarted(second);
  const cluster::HostPtr host = table.hostPtr(second);

  table.update(HostSet::empty());

  CHECK(table.has(*host));
  CHECK(table.activeRequests(second) == 1);
  table.requestFinished(*host);
  table.forget(first);
  CHECK(gone == std::vector<HostSlot>{first});
  CHECK(table.madeCount() == 1);
  CHECK(table.make(*net::Address::fromIp("10.0.0.1", 3)) == first);
  CHECK(table.hostPtr(first)->address().port() == 3);
}

}  // namespace
}  // namespace sluice::upstream::lb
