// Hosts that shares of healthy hosts are counted without.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "source/event/simulated_loop.h"
#include "source/upstream/cluster/host_monitors.h"
#include "source/upstream/cluster/host_set.h"

namespace sluice::upstream::cluster {
namespace {

// So many hosts in each priority; those that were told of are failed by checks, or because they asked for it.
struct ExcludedTest {
  explicit ExcludedTest(const std::vector<size_t>& counts) {
    for (uint32_t priority = 0; priority < counts.size(); ++priority) {
      LocalityEndpoints& locality = assignment.localities.emplace_back();
      locality.priority = priority;
      locality.locality.zone = std::to_string(priority);
      for (size_t i = 0; i < counts[priority]; ++i) {
        locality.endpoints.emplace_back().address =
            *net::Address::fromIp("10.0.0.1", static_cast<uint16_t>(100 * priority + i + 1));
      }
    }
    build();
  }
  void build() { set = HostSet::build(assignment, options, set.get(), &monitors); }
  void fail(size_t entry, bool asked) {
    monitors.set(*set->entries()[entry].host, HealthInput::kActiveCheck, Health::kUnhealthy);
    if (asked) monitors.exclude(*set->entries()[entry].host);
  }
  // "PRIORITY:PERCENT:HOSTS" with '!' for panic, joined by spaces.
  std::string tiers() {
    build();
    std::string out;
    for (const HostSet::Tier& tier : set->tiers()) {
      size_t members = 0;
      for (const HostSet::Group& group : tier.groups) members += group.members.size();
      if (!out.empty()) out += ' ';
      out += std::to_string(tier.priority) + ":" + std::to_string(tier.percent) + ":" + std::to_string(members);
      if (tier.panic) out += '!';
    }
    return out;
  }

  event::SimulatedLoop loop;
  int flips = 0;
  HostMonitors monitors{loop, [this] { ++flips; }};
  Assignment assignment;
  HostSetOptions options;
  HostSetPtr set;
};

TEST_CASE("hosts that asked to be failed send nothing to the next priority and begin no panic") {
  ExcludedTest failed({4, 1}), asked({4, 1});
  for (const size_t host : {0, 1, 2}) {
    failed.fail(host, false);
    asked.fail(host, true);
  }
  CHECK(failed.tiers() == "0:35:1 1:65:1");
  CHECK(asked.tiers() == "0:100:1");
  CHECK(asked.set->countExcluded() == 3);

  ExcludedTest alone({4});
  for (const size_t host : {0, 1, 2}) alone.fail(host, true);
  CHECK(alone.tiers() == "0:100:1");
}

TEST_CASE("where all hosts asked to be failed there is panic") {
  ExcludedTest t({2});
  t.fail(0, true);
  t.fail(1, true);
  CHECK(t.tiers() == "0:100:2!");
}

TEST_CASE("a locality keeps its weight without the hosts that asked to be failed") {
  ExcludedTest t({});
  t.options.locality_weighted = true;
  for (const char* zone : {"a", "b"}) {
    LocalityEndpoints& locality = t.assignment.localities.emplace_back();
    locality.locality.zone = zone;
    locality.weight = 1;
    for (uint16_t port = 1; port <= 2; ++port) {
      locality.endpoints.emplace_back().address = *net::Address::fromIp(zone[0] == 'a' ? "10.0.0.1" : "10.0.0.2", port);
    }
  }
  t.build();
  t.fail(0, true);
  t.fail(2, false);
  t.build();
  const auto& groups = t.set->tiers()[0].groups;
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].weight == 1);
  CHECK(groups[1].weight == Approx(0.7));
}

TEST_CASE("a host whose first check is not over is excluded, if that is wanted") {
  const bool wanted = GENERATE(true, false);
  ExcludedTest t({1, 1});
  t.options.exclude_unchecked = wanted;
  t.monitors.expectChecks(true);
  for (uint16_t port = 10; port < 13; ++port) {
    t.assignment.localities[0].endpoints.emplace_back().address = *net::Address::fromIp("10.0.0.1", port);
  }
  CHECK(t.tiers() == (wanted ? "0:100:1" : "0:35:1 1:65:1"));
  const Host& host = *t.set->entries()[1].host;
  host.monitor().setPending(false);
  CHECK(t.tiers() == (wanted ? "0:70:1 1:30:1" : "0:35:1 1:65:1"));
}

TEST_CASE("a host is excluded until a check lets it in, and the hosts are built anew for either") {
  ExcludedTest t({1});
  t.fail(0, true);
  t.loop.settle();
  CHECK(t.flips == 1);
  t.build();
  CHECK(t.set->entries()[0].excluded);
  t.monitors.set(*t.set->entries()[0].host, HealthInput::kActiveCheck, Health::kHealthy);
  t.loop.settle();
  CHECK(t.flips == 2);
  t.build();
  CHECK_FALSE(t.set->entries()[0].excluded);
}

}  // namespace
}  // namespace sluice::upstream::cluster
