// Clusters that stand for others.

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/event/polled_loop.h"
#include "source/upstream/worker_cluster.h"

namespace sluice::upstream {
namespace {

using cluster::Health;

class StandsFor final : public cluster::ClusterKind {
 public:
  explicit StandsFor(std::vector<ClusterId> members) : members_(std::move(members)) {}
  std::unique_ptr<cluster::HostSource> makeSource(const cluster::HostSource::World&, cluster::HostSource::Owner,
                                                  cluster::HostSource::Receiver&) const override {
    return nullptr;
  }
  std::span<const ClusterId> members() const override { return members_; }

 private:
  const std::vector<ClusterId> members_;
};

struct Hosts {
  int healthy = 0, degraded = 0, unhealthy = 0;
};

struct Fixture {
  event::PolledLoop loop;
  net::WorkerBuffers buffers;
  observability::StatsRegistry registry;
  observability::StatsCells& cells = registry.makeCells();
  ClusterSet clusters{loop, buffers, cells, 1};
  const std::shared_ptr<cluster::Breakers> breakers =
      std::make_shared<cluster::Breakers>(std::array<cluster::Thresholds, cluster::kRoutingPriorities>{});

  void publish(ClusterId id, std::shared_ptr<cluster::ClusterConfig> config, const cluster::Assignment& hosts) {
    auto published = std::make_shared<PublishedCluster>();
    published->id = id;
    published->config = std::move(config);
    published->breakers = breakers;
    published->hosts.set = cluster::HostSet::build(hosts, {}, nullptr);
    clusters.set(std::move(published));
  }
  void addHosts(ClusterId id, Hosts hosts) {
    cluster::Assignment assignment;
    auto& endpoints = assignment.localities.emplace_back().endpoints;
    uint16_t port = 1;
    for (const auto& [health, count] : {std::pair(Health::kHealthy, hosts.healthy),
                                        {Health::kDegraded, hosts.degraded},
                                        {Health::kUnhealthy, hosts.unhealthy}}) {
      for (int i = 0; i < count; ++i) {
        cluster::Endpoint& endpoint = endpoints.emplace_back();
        endpoint.address = *net::Address::fromIp("10.0.0.1", port++);
        endpoint.health = health;
      }
    }
    auto config = std::make_shared<cluster::ClusterConfig>();
    config->name = std::to_string(id);
    publish(id, std::move(config), assignment);
  }
  void addAggregate(ClusterId id, std::vector<ClusterId> members) {
    auto config = std::make_shared<cluster::ClusterConfig>();
    config->name = std::to_string(id);
    config->kind = std::make_shared<StandsFor>(std::move(members));
    publish(id, std::move(config), {});
  }
  // Of 1,000 requests to a cluster, percent by the cluster that got them, rounded; "-": none did.
  std::map<std::string, int> shares(ClusterId id) {
    std::map<std::string, int> out;
    for (int i = 0; i < 1000; ++i) {
      const auto found = clusters.find(id);
      ++out[found ? found->config().name : "-"];
    }
    for (auto& [name, count] : out) count = (count + 5) / 10;
    return out;
  }
};

using Shares = std::map<std::string, int>;

bool near(const Shares& shares, const Shares& expected) {
  for (const auto& [name, share] : shares) {
    CAPTURE(name, share);
    const auto at = expected.find(name);
    REQUIRE(at != expected.end());
    if (std::abs(at->second - share) > 5) return false;
  }
  return shares.size() == expected.size();
}

TEST_CASE("the first member takes all requests as long as enough of its hosts are healthy") {
  Fixture f;
  f.addHosts(1, {.healthy = 8, .unhealthy = 2});
  f.addHosts(2, {.healthy = 1});
  f.addAggregate(9, {1, 2});

  CHECK(f.shares(9) == Shares{{"1", 100}});
  CHECK(f.clusters.find("9")->id() == 1);
}

TEST_CASE("what the hosts of a member cannot take spills over to the next") {
  Fixture f;
  f.addHosts(1, {.healthy = 3, .unhealthy = 7});
  f.addHosts(2, {.healthy = 2, .unhealthy = 8});
  f.addHosts(3, {.healthy = 1});
  f.addAggregate(9, {1, 2, 3});

  CHECK(near(f.shares(9), {{"1", 42}, {"2", 28}, {"3", 30}}));
}

TEST_CASE("where all together cannot take all requests, shares are in proportion") {
  Fixture f;
  f.addHosts(1, {.healthy = 1, .unhealthy = 9});
  f.addHosts(2, {.healthy = 3, .unhealthy = 7});
  f.addAggregate(9, {1, 2});

  CHECK(near(f.shares(9), {{"1", 25}, {"2", 75}}));
}

TEST_CASE("degraded hosts of the first member come behind healthy ones of all") {
  Fixture f;
  f.addHosts(1, {.degraded = 5});
  f.addHosts(2, {.healthy = 5, .unhealthy = 5});
  f.addAggregate(9, {1, 2});

  CHECK(near(f.shares(9), {{"1", 30}, {"2", 70}}));
}

TEST_CASE("with no host left anywhere the first member there is answers") {
  Fixture f;
  f.addHosts(2, {.unhealthy = 3});
  f.addHosts(3, {});
  f.addAggregate(9, {1, 2, 3});

  CHECK(f.shares(9) == Shares{{"2", 100}});
}

TEST_CASE("a member that stands for nothing that is there is not the first one") {
  Fixture f;
  f.addHosts(2, {.unhealthy = 1});
  f.addAggregate(8, {1});
  f.addAggregate(9, {8, 2});

  CHECK(f.shares(9) == Shares{{"2", 100}});
}

TEST_CASE("members that are not there get nothing, and without any there is no cluster") {
  Fixture f;
  f.addHosts(2, {.healthy = 1});
  f.addAggregate(9, {1, 2});
  CHECK(f.shares(9) == Shares{{"2", 100}});

  f.clusters.remove(2);

  CHECK(f.shares(9) == Shares{{"-", 100}});
}

TEST_CASE("a change of a member's hosts counts from the next request on") {
  Fixture f;
  f.addHosts(1, {.healthy = 1});
  f.addHosts(2, {.healthy = 1});
  f.addAggregate(9, {1, 2});
  CHECK(f.shares(9) == Shares{{"1", 100}});

  f.addHosts(1, {.unhealthy = 1});
  CHECK(f.shares(9) == Shares{{"2", 100}});

  f.addHosts(1, {.healthy = 1});
  CHECK(f.shares(9) == Shares{{"1", 100}});
}

TEST_CASE("members may stand for others in turn, and a circle ends") {
  Fixture f;
  f.addHosts(1, {.unhealthy = 1});
  f.addHosts(2, {.healthy = 1, .unhealthy = 1});
  f.addHosts(3, {.healthy = 1});
  f.addAggregate(8, {1, 2});
  f.addAggregate(9, {8, 3});
  CHECK(near(f.shares(9), {{"2", 70}, {"3", 30}}));

  f.addAggregate(6, {7});
  f.addAggregate(7, {6});
  CHECK(f.shares(6) == Shares{{"-", 100}});
}

TEST_CASE("four may stand for each other in a row, not five") {
  Fixture f;
  f.addHosts(1, {.healthy = 1});
  f.addAggregate(11, {1});
  f.addAggregate(12, {11});
  f.addAggregate(13, {12});
  f.addAggregate(14, {13});
  f.addAggregate(15, {14});

  CHECK(f.shares(14) == Shares{{"1", 100}});
  CHECK(f.shares(15) == Shares{{"-", 100}});
}

}  // namespace
}  // namespace sluice::upstream
