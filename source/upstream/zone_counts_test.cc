#include "source/upstream/zone_counts.h"

#include <catch2/catch.hpp>
#include <memory>

namespace sluice::upstream {
namespace {

struct World {
  observability::StatsRegistry registry;
  observability::StatsCells& cells = registry.makeCells();
  observability::Scope scope = registry.scope("cluster", "web");
  std::shared_ptr<observability::LateCounters> shared = std::make_shared<observability::LateCounters>();
  observability::LateCounts counts{shared};

  // One host a zone.
  static cluster::HostSetPtr hostsIn(std::initializer_list<const char*> zones, const cluster::HostSet* previous) {
    cluster::Assignment assignment;
    uint16_t port = 80;
    for (const char* zone : zones) {
      auto& locality = assignment.localities.emplace_back();
      locality.locality.zone = zone;
      locality.endpoints.emplace_back().address = *net::Address::fromIp("10.0.0.1", port++);
    }
    return cluster::HostSet::build(assignment, {}, previous);
  }
  static cluster::HostSlot slotAt(const cluster::HostSet& hosts, size_t i) { return hosts.entries()[i].host->slot(); }

  std::optional<uint64_t> count(const std::string& name) {
    shared->show(scope, cells);
    return registry.valueOf("cluster.web.zone." + name);
  }
};

TEST_CASE("answers are counted by the zones of both sides") {
  World world;
  ZoneCounts zones(world.counts, "a");
  const auto hosts = World::hostsIn({"a", "b", "b", ""}, nullptr);

  zones.of(*hosts, World::slotAt(*hosts, 0))->add(200);
  zones.of(*hosts, World::slotAt(*hosts, 1))->add(200);
  zones.of(*hosts, World::slotAt(*hosts, 2))->add(503);

  CHECK(zones.of(*hosts, World::slotAt(*hosts, 3)) == nullptr);
  CHECK(world.count("a.a.upstream_rq_200") == 1);
  CHECK(world.count("a.b.upstream_rq_completed") == 2);
  CHECK(world.count("a.b.upstream_rq_5xx") == 1);
}

TEST_CASE("a host that is in another zone now is counted there") {
  World world;
  ZoneCounts zones(world.counts, "a");
  const auto before = World::hostsIn({"a"}, nullptr);
  zones.of(*before, World::slotAt(*before, 0))->add(200);

  const auto after = World::hostsIn({"b"}, before.get());
  zones.forgetHosts();
  zones.of(*after, World::slotAt(*after, 0))->add(200);

  CHECK(world.count("a.a.upstream_rq_200") == 1);
  CHECK(world.count("a.b.upstream_rq_200") == 1);
}

TEST_CASE("a process that knows no zone of its own counts none") {
  World world;
  ZoneCounts zones(world.counts, "");
  const auto hosts = World::hostsIn({"a"}, nullptr);

  CHECK(zones.of(*hosts, World::slotAt(*hosts, 0)) == nullptr);
}

TEST_CASE("a host that no set names is in no zone") {
  World world;
  ZoneCounts zones(world.counts, "a");
  const auto hosts = World::hostsIn({"a"}, nullptr);

  CHECK(zones.of(*hosts, static_cast<cluster::HostSlot>(hosts->slotCount() + 5)) == nullptr);
}

}  // namespace
}  // namespace sluice::upstream
