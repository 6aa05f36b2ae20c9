#include "source/upstream/cluster/host_set.h"

#include <array>
#include <catch2/catch.hpp>
#include <thread>

#include "source/event/simulated_loop.h"
#include "source/upstream/cluster/host_monitors.h"

namespace sluice::upstream::cluster {
namespace {

Endpoint endpoint(uint16_t port, Health health = Health::kHealthy, uint32_t weight = 1) {
  Endpoint out;
  out.address = *net::Address::fromIp("10.0.0.1", port);
  out.health = health;
  out.weight = weight;
  return out;
}

// One locality for each priority.
Assignment priorities(std::vector<std::vector<Endpoint>> endpoints) {
  Assignment assignment;
  for (uint32_t priority = 0; priority < endpoints.size(); ++priority) {
    LocalityEndpoints& locality = assignment.localities.emplace_back();
    locality.priority = priority;
    locality.endpoints = std::move(endpoints[priority]);
  }
  return assignment;
}

std::vector<Endpoint> some(uint16_t first_port, int healthy, int degraded, int unhealthy) {
  std::vector<Endpoint> out;
  for (int i = 0; i < healthy; ++i) out.push_back(endpoint(first_port++));
  for (int i = 0; i < degraded; ++i) out.push_back(endpoint(first_port++, Health::kDegraded));
  for (int i = 0; i < unhealthy; ++i) out.push_back(endpoint(first_port++, Health::kUnhealthy));
  return out;
}

// "PRIORITY:PERCENT:HOSTS" with '!' for panic, joined by spaces.
std::string tiersOf(const Assignment& assignment, HostSetOptions options = {}) {
  std::string out;
  const HostSetPtr hosts = HostSet::build(assignment, options, nullptr);
  for (const HostSet::Tier& tier : hosts->tiers()) {
    size_t members = 0;
    for (const HostSet::Group& group : tier.groups) members += group.members.size();
    if (!out.empty()) out += ' ';
    out += std::to_string(tier.priority) + ":" + std::to_string(tier.percent) + ":" + std::to_string(members);
    if (tier.panic) out += '!';
  }
  return out;
}

TEST_CASE("a part of a set scales the weights of localities by its share of their hosts, rounded") {
  Assignment assignment = priorities({some(1, 3, 0, 0), some(11, 200, 0, 0)});
  assignment.localities[1].priority = 0;
  for (LocalityEndpoints& locality : assignment.localities) locality.weight = 100;
  assignment.localities[1].locality.zone = "b";
  const HostSetPtr all = HostSet::build(assignment, {.locality_weighted = true}, nullptr);
  const std::vector<uint32_t> entries{0, 2, 3};  // two of three, and one of 200

  const HostSetPtr part = all->subset(entries, HostSet::SubsetLocalities::kScaled);

  REQUIRE(part->tiers().size() == 1);
  REQUIRE(part->tiers()[0].groups.size() == 2);
  CHECK(part->tiers()[0].groups[0].assigned_weight == 67);
  CHECK(part->tiers()[0].groups[1].assigned_weight == 1);
}

TEST_CASE("a host that an update keeps is the same object in the same slot") {
  const HostSetPtr before = HostSet::build(priorities({{endpoint(1), endpoint(2), endpoint(3)}}), {}, nullptr);

  const HostSetPtr after = HostSet::build(
      priorities({{endpoint(4), endpoint(3, Health::kHealthy, 9), endpoint(1), endpoint(5)}}), {}, before.get());

  CHECK(after->host(0) == before->host(0));
  CHECK(after->host(2) == before->host(2));
  CHECK(after->host(1)->address().port() == 4);  // the slot that became free
  CHECK(after->host(3)->address().port() == 5);
  CHECK(after->slotCount() == 4);
  CHECK(after->hostCount() == 4);
  CHECK(after->entries()[1].weight == 9);
  const std::vector<HostPtr> removed = removedHosts(*before, *after);
  REQUIRE(removed.size() == 1);
  CHECK(removed[0]->addressText() == "10.0.0.1:2");
}

TEST_CASE("what is counted of a host is summed over those who count") {
  const Host host(*net::Address::fromIp("10.0.0.1", 1), "", 0);
  std::vector<std::thread> workers;
  std::array<char, 4> owners;
  for (const char& own : owners) {
    workers.emplace_back([&host, &own] {
      HostStats::Row& row = host.stats().rowOf(&own);
      for (int n = 0; n < 1000; ++n) row.add(HostStat::kRqTotal);
      row.add(HostStat::kCxActive);
      row.sub(HostStat::kCxActive);
    });
  }
  for (std::thread& worker : workers) worker.join();
  CHECK(&host.stats().rowOf(&owners[0]) == &host.stats().rowOf(&owners[0]));
  CHECK(host.stats().sum(HostStat::kRqTotal) == 4000);
  CHECK(host.stats().sum(HostStat::kCxActive) == 0);
  CHECK(host.stats().sum(HostStat::kRqError) == 0);
}

TEST_CASE("the same address under another hostname is another host") {
  Assignment first = priorities({{endpoint(1)}});
  Assignment second = first;
  second.localities[0].endpoints[0].hostname = "other";
  const HostSetPtr before = HostSet::build(first, {}, nullptr);

  const HostSetPtr after = HostSet::build(second, {}, before.get());

  CHECK(after->host(0) != before->host(0));
  CHECK(removedHosts(*before, *after).size() == 1);
}

TEST_CASE("an address named twice counts once in a priority and can be in two priorities") {
  const HostSetPtr hosts =
      HostSet::build(priorities({{endpoint(1, Health::kHealthy, 5), endpoint(1)}, {endpoint(1)}}), {}, nullptr);

  CHECK(hosts->hostCount() == 1);
  REQUIRE(hosts->entries().size() == 2);
  CHECK(hosts->entries()[0].weight == 5);
  CHECK(hosts->entries()[0].host == hosts->entries()[1].host);
}

TEST_CASE("an endpoint whose name is not resolved is left out") {
  Assignment assignment = priorities({{endpoint(1)}});
  assignment.localities[0].endpoints.emplace_back().dns_name = "later";

  CHECK(HostSet::build(assignment, {}, nullptr)->entries().size() == 1);
}

TEST_CASE("traffic stays in the first priority while enough of it is healthy, then spills over") {
  CHECK(tiersOf(priorities({some(1, 10, 0, 0), some(100, 10, 0, 0)})) == "0:100:10");
  CHECK(tiersOf(priorities({some(1, 8, 0, 2), some(100, 10, 0, 0)})) == "0:100:8");
  CHECK(tiersOf(priorities({some(1, 5, 0, 5), some(100, 10, 0, 0)})) == "0:70:5 1:30:10");
  CHECK(tiersOf(priorities({some(1, 0, 0, 10), some(100, 10, 0, 0)})) == "1:100:10");
  CHECK(tiersOf(priorities({{}, some(100, 2, 0, 0)})) == "1:100:2");
  // Far below the panic threshold, but the priorities together can take everything: no panic.
  CHECK(tiersOf(priorities({some(1, 2, 0, 8), some(100, 10, 0, 0)})) == "0:28:2 1:72:10");
}

TEST_CASE("degraded hosts serve only what healthy ones of all priorities cannot") {
  CHECK(tiersOf(priorities({some(1, 1, 1, 0)})) == "0:70:1 0:30:1");
  CHECK(tiersOf(priorities({some(1, 4, 1, 0)})) == "0:100:4");
  CHECK(tiersOf(priorities({some(1, 0, 3, 0)})) == "0:100:3");
  CHECK(tiersOf(priorities({some(1, 0, 3, 0), some(100, 3, 0, 0)})) == "1:100:3");
}

TEST_CASE("below the panic threshold all hosts are used") {
  CHECK(tiersOf(priorities({some(1, 4, 0, 6)})) == "0:100:10!");
  CHECK(tiersOf(priorities({some(1, 5, 0, 5)})) == "0:100:5");
  CHECK(tiersOf(priorities({some(1, 0, 0, 3), some(100, 0, 0, 1)})) == "0:75:3! 1:25:1!");
  CHECK(tiersOf(priorities({some(1, 4, 0, 6)}), {0, false}) == "0:100:4");
  CHECK(tiersOf(priorities({some(1, 0, 0, 3)}), {0, false}).empty());
  CHECK(tiersOf(priorities({some(1, 4, 0, 6)}), {30, false}) == "0:100:4");
}

TEST_CASE("the shares of all tiers sum to 100") {
  for (int healthy = 0; healthy <= 7; ++healthy) {
    for (int degraded = 0; degraded + healthy <= 7; ++degraded) {
      for (int second = 0; second <= 3; ++second) {
        const auto hosts = HostSet::build(
            priorities({some(1, healthy, degraded, 7 - healthy - degraded), some(50, second, 0, 3 - second)}), {}, {});

        uint32_t sum = 0;
        for (const HostSet::Tier& tier : hosts->tiers()) sum += tier.percent;

        CHECK(sum == 100);
      }
    }
  }
}

// "PRIORITY:AVAILABILITY:HOSTS" of those that get no traffic.
std::string spareOf(const HostSet& hosts) {
  std::string out;
  for (const HostSet::Tier& tier : hosts.allTiers().subspan(hosts.tiers().size())) {
    CHECK(tier.percent == 0);
    if (!out.empty()) out += ' ';
    out += std::to_string(tier.priority) + ":" + std::to_string(tier.availability) + ":" +
           std::to_string(tier.groups.front().members.size());
  }
  return out;
}

TEST_CASE("what gets no traffic because others take it all is spare, as far as it has hosts that may get some") {
  const auto spare = [](Assignment assignment) { return spareOf(*HostSet::build(assignment, {}, nullptr)); };

  CHECK(spare(priorities({some(1, 2, 0, 0)})) == "");
  CHECK(spare(priorities({some(1, 2, 1, 0)})) == "");
  CHECK(spare(priorities({some(1, 2, 0, 0), some(10, 1, 0, 1), some(20, 3, 0, 0)})) == "1:70:1 2:100:3");
  CHECK(spare(priorities({some(1, 1, 0, 1), some(10, 1, 0, 0), some(20, 0, 0, 3)})) == "");
  CHECK(spare(priorities({some(1, 2, 0, 0), some(10, 1, 1, 0)})) == "1:70:1 1:70:1");
  CHECK(spare(priorities({some(1, 0, 0, 2), some(10, 0, 0, 2)})) == "");
}

TEST_CASE("a set knows the priority of its hosts, and whether others than some have one") {
  const auto hosts = HostSet::build(
      priorities({some(1, 1, 0, 0), some(10, 0, 0, 1), some(1, 1, 0, 0), some(20, 0, 1, 0)}), {}, nullptr);
  const auto priorityOf = [&](uint16_t port) {
    for (const HostSet::Entry& entry : hosts->entries()) {
      if (entry.host->address().port() == port) return static_cast<int>(hosts->priorityOf(entry.host->slot()));
    }
    return -1;
  };

  CHECK(priorityOf(1) == 0);
  CHECK(priorityOf(10) == 1);
  CHECK(priorityOf(20) == 3);
  CHECK(hosts->hasOthers(0b0001));
  CHECK(hosts->hasOthers(0b0101));
  CHECK_FALSE(hosts->hasOthers(0b1101));
  CHECK(HostSet::build(priorities({some(1, 1, 0, 0)}), {}, nullptr)->priorityOf(0) == 0);
}

TEST_CASE("localities have weights only if asked, and lose by their unavailable hosts") {
  Assignment assignment = priorities({some(1, 2, 0, 0), some(10, 1, 0, 1), some(20, 1, 0, 0)});
  for (LocalityEndpoints& locality : assignment.localities) locality.priority = 0;
  assignment.localities[0].locality.zone = "a";
  assignment.localities[0].weight = 10;
  assignment.localities[1].locality.zone = "b";
  assignment.localities[1].weight = 10;
  assignment.localities[2].locality.zone = "c";

  const HostSetPtr plain = HostSet::build(assignment, {}, nullptr);
  const HostSetPtr weighted = HostSet::build(assignment, {50, true}, nullptr);

  REQUIRE(plain->tiers().size() == 1);
  CHECK(plain->tiers()[0].groups.size() == 1);
  CHECK(plain->tiers()[0].groups[0].members.size() == 4);
  REQUIRE(weighted->tiers()[0].groups.size() == 2);  // "c" has no weight: no traffic
  CHECK(weighted->tiers()[0].groups[0].weight == 10);
  CHECK(weighted->tiers()[0].groups[1].weight == Approx(7));
}

TEST_CASE("a locality of which one host in a thousand is left keeps that much of its weight") {
  Assignment assignment = priorities({some(1, 1, 0, 999), some(2000, 100, 0, 0)});
  for (LocalityEndpoints& locality : assignment.localities) {
    locality.priority = 0;
    locality.weight = 1;
  }
  assignment.localities[1].locality.zone = "b";

  const HostSetPtr hosts = HostSet::build(assignment, {0, true}, nullptr);

  REQUIRE(hosts->tiers()[0].groups.size() == 2);
  CHECK(hosts->tiers()[0].groups[0].weight == Approx(0.0014));
  CHECK(hosts->tiers()[0].groups[1].weight == 1);
}

TEST_CASE("where no locality with a weight has a host that may get requests, the others have the traffic") {
  Assignment assignment = priorities({some(1, 2, 0, 0), some(10, 1, 0, 0)});
  for (LocalityEndpoints& locality : assignment.localities) locality.priority = 0;
  assignment.localities[1].locality.zone = "b";

  SECTION("no locality has a weight") {
    CHECK(tiersOf(assignment, {50, true}) == "0:100:3");
  }
  SECTION("the one with a weight is out") {
    assignment.localities[1].weight = 1;
    assignment.localities[1].endpoints[0].health = Health::kUnhealthy;
    CHECK(tiersOf(assignment, {50, true}) == "0:100:2");
  }
}

TEST_CASE("a locality that is given in two pieces is one group with the sum of the weights") {
  Assignment assignment = priorities({some(1, 1, 0, 0), some(10, 1, 0, 0)});
  for (LocalityEndpoints& locality : assignment.localities) {
    locality.priority = 0;
    locality.weight = 2;
  }

  const HostSetPtr hosts = HostSet::build(assignment, {50, true}, nullptr);

  REQUIRE(hosts->tiers()[0].groups.size() == 1);
  CHECK(hosts->tiers()[0].groups[0].members.size() == 2);
  CHECK(hosts->tiers()[0].groups[0].weight == 4);
}

TEST_CASE("a hundred thousand hosts in as many localities are built and rebuilt without quadratic work") {
  Assignment assignment;
  for (uint32_t i = 0; i < 100000; ++i) {
    LocalityEndpoints& locality = assignment.localities.emplace_back();
    locality.locality.zone = std::to_string(i);
    locality.weight = 1;
    const uint32_t ip = htonl(0x0a000000 + i);
    locality.endpoints.emplace_back().address = net::Address::fromIpv4Bytes(&ip, 80);
  }

  const HostSetPtr before = HostSet::build(assignment, {50, true}, nullptr);
  const HostSetPtr after = HostSet::build(assignment, {50, true}, before.get());

  CHECK(after->tiers()[0].groups.size() == 100000);
  CHECK(after->host(99999) == before->host(99999));
}

TEST_CASE("a host whose metadata changed is another host, one whose metadata is equal stays") {
  const auto build = [](const std::string& version, const HostSet* previous) {
    Endpoint one = endpoint(1);
    one.metadata = stream::FixedMetadata({{"f", {stream::MetadataFields{{"v", {version}}}}}}, version);
    return HostSet::build(priorities({{one, endpoint(2)}}), {}, previous);
  };
  const HostSetPtr first = build("1", nullptr), same = build("1", first.get()), other = build("2", same.get());

  CHECK(removedHosts(*first, *same).empty());
  REQUIRE(removedHosts(*same, *other).size() == 1);
  CHECK(removedHosts(*same, *other)[0]->address().port() == 1);
  CHECK(other->entries()[0].host->metadata().identity() == "2");
}

TEST_CASE("draining and timed-out endpoints get no new requests") {
  CHECK(tiersOf(priorities({{endpoint(1), endpoint(2), endpoint(3, Health::kDraining)}})) == "0:100:2");
  CHECK(tiersOf(priorities({{endpoint(1), endpoint(2), endpoint(3, Health::kTimeout)}})) == "0:100:2");
}

TEST_CASE("a host gets the worst of what its endpoint and its monitor say, and its endpoint's word stays known") {
  const Assignment assignment = priorities({{endpoint(1), endpoint(2, Health::kDegraded), endpoint(3), endpoint(4)}});
  const HostSetPtr before = HostSet::build(assignment, {}, nullptr);
  before->host(0)->monitor().set(HealthInput::kActiveCheck, Health::kDegraded);
  before->host(1)->monitor().set(HealthInput::kActiveCheck, Health::kDegraded);
  before->host(2)->monitor().set(HealthInput::kEjection, Health::kUnhealthy);
  before->host(2)->monitor().set(HealthInput::kActiveCheck, Health::kDegraded);

  const HostSetPtr after = HostSet::build(assignment, {}, before.get());

  const auto entries = after->entries();
  CHECK(entries[0].health == Health::kDegraded);
  CHECK(entries[0].assigned == Health::kHealthy);
  CHECK(entries[1].health == Health::kDegraded);
  CHECK(entries[2].health == Health::kUnhealthy);
  CHECK(entries[3].health == Health::kHealthy);
  CHECK(after->host(2) == before->host(2));
}

TEST_CASE("a monitor says whether its word counts now") {
  HostMonitor monitor(*net::Address::fromIp("10.0.0.1", 1), "", {});

  CHECK(monitor.set(HealthInput::kEjection, Health::kUnhealthy));
  CHECK_FALSE(monitor.set(HealthInput::kActiveCheck, Health::kUnhealthy));
  CHECK_FALSE(monitor.set(HealthInput::kEjection, Health::kHealthy));
  CHECK(monitor.set(HealthInput::kActiveCheck, Health::kHealthy));
  CHECK(monitor.health(Health::kDraining) == Health::kDraining);
}

TEST_CASE("hosts of one identity share a monitor and their counts while one of them lives") {
  event::SimulatedLoop loop;
  HostMonitors monitors(loop, [] {});
  const Assignment assignment = priorities({{endpoint(1)}});
  HostSetPtr one = HostSet::build(assignment, {}, nullptr, &monitors);
  HostSetPtr other = HostSet::build(assignment, {}, nullptr, &monitors);
  one->host(0)->stats().rowOf(&loop).add(HostStat::kRqTotal);

  CHECK(one->host(0) != other->host(0));
  CHECK(&one->host(0)->monitor() == &other->host(0)->monitor());
  CHECK(other->host(0)->stats().sum(HostStat::kRqTotal) == 1);
  one.reset();
  other.reset();
  other = HostSet::build(assignment, {}, nullptr, &monitors);
  CHECK(other->host(0)->stats().sum(HostStat::kRqTotal) == 0);
}

TEST_CASE("monitors of hosts that went are forgotten") {
  event::SimulatedLoop loop;
  HostMonitors monitors(loop, [] {});
  for (uint16_t port = 1; port < 2000; ++port) {
    HostSet::build(priorities({{endpoint(port)}}), {}, nullptr, &monitors);
  }

  CHECK(monitors.size() <= 64);
}

TEST_CASE("the host at an address is found if it may get requests") {
  const HostSetPtr hosts = HostSet::build(
      priorities({{endpoint(1), endpoint(2, Health::kDegraded), endpoint(3, Health::kDraining)}}), {}, nullptr);

  CHECK(hosts->availableAt(endpoint(1).address) == 0);
  CHECK(hosts->availableAt(endpoint(2).address) == 1);
  CHECK(hosts->availableAt(endpoint(3).address) == kNoHost);
  CHECK(hosts->availableAt(endpoint(4).address) == kNoHost);
}

TEST_CASE("which hosts may be taken because somebody wants them can be said") {
  Assignment assignment = priorities({some(1, 1, 1, 1)});
  assignment.localities[0].endpoints.push_back(endpoint(4, Health::kDraining));
  assignment.localities[0].endpoints.push_back(endpoint(5, Health::kDraining));
  HostSetPtr hosts = HostSet::build(assignment, {}, nullptr);
  hosts->entries()[4].host->monitor().set(HealthInput::kActiveCheck, Health::kUnhealthy);
  const auto wanted = [&](HealthMask mask) {
    hosts = HostSet::build(assignment, {.wanted_health = mask}, hosts.get());
    std::string out;
    for (uint16_t port = 1; port <= 5; ++port) {
      if (hosts->availableAt(endpoint(port).address) != kNoHost) out += std::to_string(port);
    }
    return out;
  };

  CHECK(wanted(maskOf(Health::kHealthy)) == "1");
  CHECK(wanted(maskOf(Health::kDegraded) | maskOf(Health::kDraining)) == "24");  // 5 fails its checks
  CHECK(wanted(maskOf(Health::kUnhealthy)) == "35");
  CHECK(wanted(0).empty());
}

TEST_CASE("a host is a canary where its metadata says so, and nowhere else") {
  const auto canary = [](stream::FixedMetadata metadata) {
    return Host(*net::Address::fromIp("10.0.0.1", 80), "", 0, std::move(metadata)).canary();
  };
  const auto saying = [](std::string filter, stream::MetadataValue value) {
    return stream::FixedMetadata({{std::move(filter), {stream::MetadataFields{{"canary", std::move(value)}}}}}, "");
  };

  CHECK(canary(saying("envoy.lb", {true})));
  CHECK_FALSE(canary(saying("envoy.lb", {false})));
  CHECK_FALSE(canary(saying("envoy.lb", {std::string("true")})));
  CHECK_FALSE(canary(saying("other", {true})));
  CHECK_FALSE(canary({}));
}

}  // namespace
}  // namespace sluice::upstream::cluster
