#include "source/upstream/origin_counts.h"

#include <catch2/catch.hpp>

namespace sluice::upstream {

TEST_CASE("answers are counted by who asked, and those of canaries once more") {
  observability::StatsRegistry registry;
  observability::StatsCells& cells = registry.makeCells();
  observability::Scope scope = registry.scope("cluster", "web");
  const auto shared = std::make_shared<observability::LateCounters>();
  observability::LateCounts counts(shared);
  OriginCounts origins(counts);

  origins.add(200, false, false);
  origins.add(204, false, false);
  origins.add(200, false, true);
  origins.add(503, true, false);
  shared->show(scope, cells);

  CHECK(registry.valueOf("cluster.web.external.upstream_rq_completed") == 3);
  CHECK(registry.valueOf("cluster.web.external.upstream_rq_2xx") == 3);
  CHECK(registry.valueOf("cluster.web.external.upstream_rq_200") == 2);
  CHECK(registry.valueOf("cluster.web.external.upstream_rq_204") == 1);
  CHECK(registry.valueOf("cluster.web.canary.upstream_rq_200") == 1);
  CHECK(registry.valueOf("cluster.web.canary.upstream_rq_completed") == 1);
  CHECK(registry.valueOf("cluster.web.internal.upstream_rq_503") == 1);
  CHECK(registry.valueOf("cluster.web.internal.upstream_rq_200") == std::nullopt);
}

TEST_CASE("where nobody counts answers are counted nowhere") {
  observability::LateCounts counts(nullptr);
  OriginCounts origins(counts);

  origins.add(200, true, true);
  origins.add(200, true, true);
}

}  // namespace sluice::upstream
