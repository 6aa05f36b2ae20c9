#include "source/server/shown_stats.h"

#include <catch2/catch.hpp>

#include "source/extensions/clusters/static_cluster/kind.h"
#include "source/server/test_listeners.h"

namespace sluice::server {
namespace {

namespace cluster = upstream::cluster;

struct ShownTest : ListenerTest {
  // The cluster "c", of one host.
  void set(uint64_t hash, bool track_remaining) {
    cluster::Assignment hosts;
    hosts.localities.emplace_back().endpoints.emplace_back().address = *net::Address::fromIp("10.0.0.1", 1);
    auto config = std::make_shared<cluster::ClusterConfig>();
    config->name = config->stat_name = "c";
    config->kind = std::make_shared<extensions::clusters::static_cluster::Kind>(hosts);
    config->content_hash = hash;
    config->thresholds[0].max_connections = 2;
    config->thresholds[0].track_remaining = track_remaining;
    clusters.set(config, {}, true, "");
  }
  // -1: it is not there.
  int64_t shown(const std::string& name) {
    shown_stats.refresh(ShownStats::State::kLive, clusters, listeners);
    return stats.valueOf("cluster.c.circuit_breakers." + name).value_or(-1);
  }
  cluster::Breakers& breakers() { return *clusters.find("c")->breakers; }

  route::ClusterNames names;
  std::unique_ptr<net::DnsResolver> resolver = net::makeDnsResolver(*main);
  ClusterManager clusters{*main, workers, stats, cells, names, *resolver, logger, 1, ClusterManager::kMaxLeaving};
  ShownStats shown_stats{stats, cells, 1};
};

TEST_CASE("what is left of a limit is shown for a priority that tracks it") {
  ShownTest t;
  t.set(1, true);
  CHECK(t.shown("default.remaining_cx") == 2);
  CHECK(t.shown("default.remaining_pending") == 1024);
  CHECK(t.shown("default.remaining_rq") == 1024);
  CHECK(t.shown("default.remaining_retries") == 3);
  CHECK(t.shown("high.remaining_cx") == -1);

  REQUIRE(t.breakers().tryAcquire(cluster::Resource::kConnections, cluster::RoutingPriority::kDefault));
  CHECK(t.shown("default.remaining_cx") == 1);
  t.breakers().acquire(cluster::Resource::kConnections, cluster::RoutingPriority::kDefault);
  t.breakers().acquire(cluster::Resource::kConnections, cluster::RoutingPriority::kDefault);
  CHECK(t.shown("default.remaining_cx") == 0);
}

TEST_CASE("what is left is no longer shown when nobody tracks it any more") {
  ShownTest t;
  t.set(1, true);
  REQUIRE(t.shown("default.remaining_cx") == 2);
  t.set(2, false);

  CHECK(t.shown("default.remaining_cx") == -1);
}

}  // namespace
}  // namespace sluice::server
