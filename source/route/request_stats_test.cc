#include "source/route/request_stats.h"

#include <catch2/catch.hpp>

#include "source/route/test_request.h"
#include "source/route/virtual_cluster.h"

namespace sluice::route {
namespace {

match::HeaderMatcher method(std::string text) {
  match::HeaderMatcher out;
  out.setName(":method");
  out.kind = match::HeaderMatcher::Kind::kString;
  out.string.text = std::move(text);
  return out;
}

}  // namespace

TEST_CASE("answers are counted by class and by status, whichever thread counts them") {
  observability::StatsRegistry registry;
  observability::StatsCells &main = registry.makeCells(), &worker = registry.makeCells();
  const std::shared_ptr<RequestStats> stats = RequestStats::make(registry, "web", "vcluster", "gets");

  stats->countAnswer(200, worker);
  stats->countAnswer(204, worker);
  registry.showLate(main);
  stats->countAnswer(200, main);
  stats->countAnswer(999, worker);
  registry.showLate(main);

  CHECK(registry.valueOf("vhost.web.vcluster.gets.upstream_rq_completed") == 3);
  CHECK(registry.valueOf("vhost.web.vcluster.gets.upstream_rq_2xx") == 3);
  CHECK(registry.valueOf("vhost.web.vcluster.gets.upstream_rq_200") == 2);
  CHECK(registry.valueOf("vhost.web.vcluster.gets.upstream_rq_204") == 1);
  CHECK(registry.valueOf("vhost.web.vcluster.gets.upstream_rq_503") == std::nullopt);
}

TEST_CASE("what is counted apart takes little before answers come") {
  CHECK(sizeof(RequestStats) < 512);
}

TEST_CASE("what was counted goes with those who count") {
  observability::StatsRegistry registry;
  observability::StatsCells& main = registry.makeCells();
  std::shared_ptr<RequestStats> stats = RequestStats::make(registry, "web", "route", "r");
  stats->countAnswer(200, main);
  registry.showLate(main);

  stats.reset();
  registry.showLate(main);

  CHECK(registry.valueOf("vhost.web.route.r.upstream_rq_200") == std::nullopt);
  CHECK(registry.valueOf("vhost.web.route.r.upstream_rq_total") == std::nullopt);
}

TEST_CASE("virtual cluster and route are tags, as in Envoy") {
  observability::StatsRegistry registry;
  const auto stats = RequestStats::make(registry, "web", "vcluster", "gets");

  const observability::StatsRegistry::Stat* stat = registry.find("vhost.web.vcluster.gets.upstream_rq_total");

  REQUIRE(stat != nullptr);
  CHECK(stat->exposition_name == "envoy_vhost_vcluster_upstream_rq_total");
  REQUIRE(stat->tags.size() == 2);
  CHECK(stat->tags[0].name == "envoy_virtual_host");
  CHECK(stat->tags[1].name == "envoy_virtual_cluster");
}

TEST_CASE("the first virtual cluster that matches takes a request, and the last one what is left") {
  const VirtualClusters clusters{{.name = "posts", .headers = {method("POST")}},
                                 {.name = "writes", .headers = {method("POST")}},
                                 {.name = "other"}};
  TestRequest get("/"), post("/", "a", {{":method", "POST"}});

  CHECK(virtualClusterOf(clusters, *post).name == "posts");
  CHECK(virtualClusterOf(clusters, *get).name == "other");
}

}  // namespace sluice::route
