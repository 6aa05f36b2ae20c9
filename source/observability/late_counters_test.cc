#include "source/observability/late_counters.h"

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

namespace sluice::observability {
namespace {

TEST_CASE("counts of several threads are shown as one sum, under names that come as they happen") {
  StatsRegistry registry;
  StatsCells& cells = registry.makeCells();
  Scope scope = registry.scope("cluster", "up");
  auto counters = std::make_shared<LateCounters>();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([counters] {
      LateCounts counts(counters);
      for (int n = 0; n < 1000; ++n) counts.add(n % 2 == 0 ? "upstream_rq_200" : "upstream_rq_503");
    });
  }
  for (int i = 0; i < 10; ++i) counters->show(scope, cells);
  for (std::thread& thread : threads) thread.join();
  counters->show(scope, cells);

  CHECK(registry.valueOf("cluster.up.upstream_rq_200") == 2000);
  CHECK(registry.valueOf("cluster.up.upstream_rq_503") == 2000);
  CHECK(registry.find("cluster.up.upstream_rq_503")->exposition_name == "envoy_cluster_upstream_rq");
}

TEST_CASE("a cell that was given back goes on for the next who counts under its name") {
  auto counters = std::make_shared<LateCounters>();
  LateCounters::Cell* first = LateCounts(counters).cellOf("a");
  LateCounts next(counters), other(counters);
  CHECK(next.cellOf("a") == first);
  CHECK(next.cellOf("a") == first);
  CHECK(other.cellOf("a") != first);
}

TEST_CASE("names that clients make up come to an end and leave room for others") {
  auto counters = std::make_shared<LateCounters>();
  LateCounts counts(counters);
  for (size_t i = 0; i < LateCounters::kMost * 2; ++i) counts.add("grpc.a.M" + std::to_string(i) + ".total");
  CHECK(counts.cellOf("grpc.a.More.total", LateCounters::kMostOfClients) == nullptr);
  CHECK(counts.cellOf("upstream_rq_200") != nullptr);
}

TEST_CASE("methods of calls are tags") {
  StatsRegistry registry;
  Scope scope = registry.scope("cluster", "up");
  (void)scope.counter("grpc.pkg.Service.Method.0");
  (void)scope.counter("grpc.success");
  const StatsRegistry::Stat* stat = registry.find("cluster.up.grpc.pkg.Service.Method.0");
  REQUIRE(stat != nullptr);
  CHECK(stat->exposition_name == "envoy_cluster_grpc_0");
  REQUIRE(stat->tags.size() == 3);
  CHECK(stat->tags[1].value == "pkg.Service");
  CHECK(stat->tags[2].value == "Method");
  CHECK(registry.find("cluster.up.grpc.success")->tags.size() == 1);
}

}  // namespace
}  // namespace sluice::observability
