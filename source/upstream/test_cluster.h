// One cluster of a worker in tests: its settings, its limits, its numbers, and the hosts that the test gives it.
#pragma once

#include <memory>
#include <vector>

#include "source/upstream/worker_cluster.h"
#include "source/worker/test_worker.h"

namespace sluice::upstream {

inline constexpr auto kPriority = cluster::RoutingPriority::kDefault;

struct TestCluster : worker::testing::WorkerParts {
  TestCluster() { config->name = "c"; }

  // From now on it has these, each `health`. `id`: of another cluster that is otherwise the same.
  void hosts(const std::vector<net::Address>& addresses, cluster::Health health = cluster::Health::kHealthy,
             ClusterId id = 0) {
    cluster::Assignment assignment;
    auto& locality = assignment.localities.emplace_back();
    for (const net::Address& address : addresses) {
      cluster::Endpoint& endpoint = locality.endpoints.emplace_back();
      endpoint.address = address;
      endpoint.health = health;
    }
    assign(assignment, id);
  }
  void assign(const cluster::Assignment& assignment, ClusterId id = 0) {
    const cluster::HostSet* previous = id == 0 ? host_set.get() : nullptr;
    host_set = cluster::HostSet::build(assignment, config->lb.hosts, previous);
    publish(clusters, id);
  }
  void publish() { publish(clusters); }
  void publish(ClusterSet& to, ClusterId id = 0) {
    auto published = std::make_shared<PublishedCluster>();
    published->id = id;
    published->config = config;
    published->breakers = breakers;
    published->stats = stats;
    published->hosts = lb::LbPolicy::prepare(config->lb.policy.get(), host_set);
    published->outlier_reports = outlier_reports;
    published->fail_reports = fail_reports;
    published->late_counters = late_counters;
    published->own_zone = own_zone;
    to.set(published);
  }
  uint32_t used(cluster::Resource resource) const { return breakers->used(resource, kPriority); }

  ClusterSet clusters{loop, buffers, cells, 1};
  std::shared_ptr<cluster::ClusterConfig> config = std::make_shared<cluster::ClusterConfig>();
  cluster::ThresholdsByPriority thresholds;
  std::shared_ptr<cluster::Breakers> breakers = std::make_shared<cluster::Breakers>(thresholds);
  cluster::ClusterStats stats;
  cluster::HostSetPtr host_set;
  std::shared_ptr<OutlierReports> outlier_reports;             // null: nobody is told
  std::shared_ptr<FailReports> fail_reports;                   // null: nobody is told
  std::shared_ptr<observability::LateCounters> late_counters;  // null: nobody counts
  std::string own_zone;
};

}  // namespace sluice::upstream
