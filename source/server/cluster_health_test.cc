// What watches the hosts of a cluster, with the cluster manager and one real worker.
#include "source/server/cluster_health.h"

#include <catch2/catch.hpp>

#include "source/extensions/clusters/static_cluster/kind.h"
#include "source/server/cluster_manager.h"
#include "source/server/test_process.h"
#include "source/upstream/pool/test_upstream.h"
#include "test/support/upstream/policies.h"

using namespace std::chrono_literals;

namespace sluice::server {
namespace {

namespace cluster = upstream::cluster;

struct HealthTest : Process {
  HealthTest() : clusters(*main, workers, stats, cells, names, *resolver, logger, 1) { clusters.boot = &boot; }

  std::shared_ptr<cluster::ClusterConfig> config(uint64_t hash, int count = 2) {
    cluster::Assignment assignment;
    auto& locality = assignment.localities.emplace_back();
    for (int i = 0; i < count; ++i) locality.endpoints.emplace_back().address = hosts[i].address;
    auto out = std::make_shared<cluster::ClusterConfig>();
    out->name = out->stat_name = "c";
    out->kind = std::make_shared<extensions::clusters::static_cluster::Kind>(assignment);
    out->content_hash = hash;
    return out;
  }
  std::shared_ptr<cluster::ClusterConfig> checked(uint64_t hash, int count = 2) {
    auto check = std::make_shared<cluster::HealthCheckConfig>();
    check->timeout = check->interval = check->unhealthy_interval = 10s;
    check->http.path = "/";
    auto out = config(hash, count);
    out->health_checks = {check};
    return out;
  }
  std::shared_ptr<cluster::ClusterConfig> watched(uint64_t hash) {
    auto outlier = std::make_shared<cluster::OutlierConfig>();
    outlier->consecutive_5xx = 3;
    auto out = config(hash);
    out->outlier = outlier;
    return out;
  }
  void set(std::shared_ptr<cluster::ClusterConfig> config) {
    clusters.set(std::move(config), {}, false, "1", clusters.newInit("c"));
  }
  // Runs main until then, some seconds at most.
  template <typename Done>
  bool until(Done done) {
    for (int i = 0; i < 1000 && !done(); ++i) runFor(5ms);
    return done();
  }
  // The request of a check that the host got, answered.
  void answer(int host, const std::string& status, size_t connection = 0) {
    std::string request;
    REQUIRE(until([&] {
      if (hosts[host].accept() > connection) request += hosts[host].peer(connection).take();
      return request.ends_with("\r\n\r\n");
    }));
    hosts[host].peer(connection).send("HTTP/1.1 " + status + "\r\ncontent-length: 0\r\n\r\n");
  }
  const cluster::HostSet* serving() { return clusters.hostsOf("c"); }
  int64_t healthy() { return stats.valueOf("cluster.c.membership_healthy").value_or(-1); }
  // What the worker may choose from.
  size_t availableOnWorker() {
    const auto id = names.find("c");
    return onWorker<size_t>([id](Worker& worker) {
      const auto found = worker.clusters().find(id);
      return found ? found->hosts().countWithHealth(cluster::Health::kHealthy) : size_t{99};
    });
  }

  upstream::pool::TestUpstream hosts[3];
  route::ClusterNames names;
  std::unique_ptr<net::DnsResolver> resolver = net::makeDnsResolver(*main);
  ClusterManager clusters;
  InitManager boot{*main, logger, "the test"};
};

TEST_CASE("a new cluster whose hosts are checked serves when each was checked once") {
  HealthTest t;
  t.set(t.checked(1));
  t.sync();
  CHECK(t.serving() == nullptr);
  CHECK(t.boot.waits() == "cluster 'c' (first health checks)");
  t.answer(0, "200 OK");
  t.answer(1, "500 No");
  REQUIRE(t.until([&] { return t.serving() != nullptr; }));
  CHECK(t.healthy() == 1);
  CHECK(t.availableOnWorker() == 1);
  CHECK(t.boot.waits() == "");

  SECTION("another configuration with the same checks serves at once, with what is known") {
    t.set(t.checked(2));
    CHECK(t.clusters.find("c")->active->config->content_hash == 2);
    CHECK(t.healthy() == 1);
  }
  SECTION("a host that it brings waits for its first check") {
    t.set(t.checked(2, 3));
    CHECK(t.serving()->hostCount() == 3);
    CHECK(t.healthy() == 1);
    t.answer(2, "200 OK");
    CHECK(t.until([&] { return t.healthy() == 2; }));
  }
  SECTION("hosts of which none serves yet are checked before they take over") {
    auto moved = t.checked(2);
    cluster::Assignment assignment;
    assignment.localities.emplace_back().endpoints.emplace_back().address = t.hosts[2].address;
    moved->kind = std::make_shared<extensions::clusters::static_cluster::Kind>(assignment);
    t.set(moved);
    CHECK(t.clusters.find("c")->active->config->content_hash == 1);
    SECTION("") {
      t.answer(2, "200 OK");
      CHECK(t.until([&] { return t.clusters.find("c")->active->config->content_hash == 2; }));
      CHECK(t.healthy() == 1);
      CHECK(t.availableOnWorker() == 1);
    }
    SECTION("unless the old configuration is to stay") {
      t.set(t.checked(1));
      CHECK(t.clusters.find("c")->active->config->content_hash == 1);
      CHECK_FALSE(t.clusters.find("c")->health->pending());
    }
  }
  SECTION("without checks nobody objects, nor to a host that comes along") {
    t.set(t.config(2, 3));
    CHECK(t.until([&] { return t.healthy() == 3; }));
    CHECK_FALSE(t.serving()->entries()[2].host->monitor().pending());
  }
}

TEST_CASE("hosts that served before their cluster was checked go on") {
  HealthTest t;
  t.set(t.config(1));
  CHECK(t.healthy() == 2);
  t.set(t.checked(2));
  CHECK(t.clusters.find("c")->active->config->content_hash == 2);
  CHECK(t.healthy() == 2);
  t.answer(0, "500 No");
  CHECK(t.until([&] { return t.healthy() == 1; }));
}

TEST_CASE("what workers report ejects a host from all workers' choice") {
  HealthTest t;
  t.set(t.watched(1));
  const cluster::HostPtr host = t.serving()->hostPtr(0);
  const auto reports = t.clusters.find("c")->health->reports();
  CHECK(t.onWorker<bool>(
      [id = t.names.find("c")](Worker& worker) { return worker.clusters().find(id)->outcomes() != nullptr; }));
  reports->detected(host->monitorPtr(), cluster::Detection::kConsecutive5xx);
  REQUIRE(t.until([&] { return t.healthy() == 1; }));
  CHECK(t.availableOnWorker() == 1);

  SECTION("it stays ejected in another configuration of the cluster") {
    t.set(t.watched(2));
    t.sync();
    CHECK(t.healthy() == 1);
  }
  SECTION("without outlier detection it is back") {
    t.set(t.config(2));
    CHECK(t.until([&] { return t.healthy() == 2; }));
  }
  SECTION("what is reported of a cluster that is gone comes to nothing") {
    t.clusters.remove("c");
    reports->detected(host->monitorPtr(), cluster::Detection::kConsecutive5xx);
    t.sync();
    CHECK(t.clusters.find("c") == nullptr);
  }
}

TEST_CASE("a host that asks a worker to be failed gets no requests from any") {
  HealthTest t;
  t.set(t.checked(1));
  t.answer(0, "200 OK");
  t.answer(1, "200 OK");
  REQUIRE(t.until([&] { return t.healthy() == 2; }));
  const auto reports = t.clusters.find("c")->health->failReports();
  REQUIRE(reports != nullptr);
  CHECK(t.onWorker<bool>(
      [id = t.names.find("c")](Worker& worker) { return !worker.clusters().find(id)->observers().empty(); }));
  const auto monitor = t.serving()->hostPtr(0)->monitorPtr();
  reports->askedToFail(monitor);
  REQUIRE(t.until([&] { return t.healthy() == 1; }));
  CHECK(t.availableOnWorker() == 1);
  CHECK(t.serving()->countExcluded() == 1);

  SECTION("without checks nobody is told, and it is back") {
    t.set(t.config(2));
    CHECK(t.until([&] { return t.healthy() == 2; }));
    CHECK(t.clusters.find("c")->health->failReports() == nullptr);
    CHECK(t.onWorker<bool>(
        [id = t.names.find("c")](Worker& worker) { return worker.clusters().find(id)->observers().empty(); }));
  }
  SECTION("what is told of a cluster that is gone comes to nothing") {
    t.clusters.remove("c");
    reports->askedToFail(monitor);
    t.sync();
    CHECK(t.clusters.find("c") == nullptr);
  }
}

TEST_CASE("an active check that passes ends an ejection") {
  HealthTest t;
  auto config = t.checked(1);
  config->outlier = t.watched(0)->outlier;
  t.set(config);
  t.answer(0, "200 OK");
  t.answer(1, "200 OK");
  REQUIRE(t.until([&] { return t.healthy() == 2; }));
  auto& entry = *t.clusters.find("c");
  entry.health->reports()->detected(t.serving()->hostPtr(0)->monitorPtr(), cluster::Detection::kConsecutive5xx);
  REQUIRE(t.until([&] { return t.healthy() == 1; }));
  // The next check of the cluster comes with another configuration.
  auto soon = t.checked(2);
  auto check = std::make_shared<cluster::HealthCheckConfig>(*soon->health_checks[0]);
  check->interval = check->healthy_edge_interval = 1ms;
  soon->health_checks = {check};
  soon->outlier = config->outlier;
  t.set(soon);
  t.answer(0, "200 OK", 1);
  CHECK(t.until([&] { return t.healthy() == 2; }));
}

// Asks hosts for reports of their load by streams.
class Streaming final : public upstream::lb::LbPolicy {
 public:
  std::unique_ptr<upstream::lb::LbPicker> makePicker(upstream::lb::LbWorker& worker) const override {
    return in_turn_.makePicker(worker);
  }
  const upstream::lb::LoadWeights* loadWeights() const override { return &weights_; }

 private:
  upstream::lb::InTurn in_turn_;
  const upstream::lb::LoadWeights weights_{{.stream_period = 1ms}};
};

TEST_CASE("hosts are asked for reports of their load while the policy of their cluster wants that") {
  HealthTest t;
  const auto active = [&t] { return t.stats.valueOf("cluster.c.lb_orca_oob.active_sessions").value_or(0); };
  auto config = t.config(1);
  config->lb.policy = std::make_shared<Streaming>();
  t.set(config);
  CHECK(t.until([&] { return active() == 2; }));
  CHECK(t.hosts[0].accept() == 1);

  SECTION("a host that comes along, too, and all by the new configuration") {
    config = t.config(2, 3);
    config->lb.policy = std::make_shared<Streaming>();
    t.set(config);
    CHECK(t.until([&] { return active() == 3; }));
    CHECK(t.until([&] { return t.hosts[0].accept() == 2; }));
  }
  SECTION("and no more with another policy") {
    t.set(t.config(2));
    CHECK(t.until([&] { return active() == 0; }));
  }
  SECTION("nor without the cluster") {
    t.clusters.remove("c");
    CHECK(t.until([&] { return active() == 0; }));
  }
}

TEST_CASE("a new cluster with several checks serves when each of them had its result") {
  HealthTest t;
  auto config = t.checked(1, 1);
  config->health_checks.push_back(config->health_checks.front());
  t.set(config);
  t.answer(0, "200 OK", 0);
  t.sync();
  CHECK(t.serving() == nullptr);
  t.answer(0, "200 OK", 1);
  REQUIRE(t.until([&] { return t.serving() != nullptr; }));
  CHECK(t.healthy() == 1);
}

}  // namespace
}  // namespace sluice::server
