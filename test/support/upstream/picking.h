// A worker's balancer over a policy, for tests of policies.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "source/event/simulated_loop.h"
#include "source/observability/stats.h"
#include "source/upstream/lb/balancer.h"

namespace sluice::upstream::lb {

// One locality with a host for each weight, in slots from 0.
inline cluster::HostSetPtr hostsOfWeights(const std::vector<uint32_t>& weights,
                                          const cluster::HostSet* previous = nullptr) {
  cluster::Assignment assignment;
  cluster::LocalityEndpoints& locality = assignment.localities.emplace_back();
  uint16_t port = 1;
  for (const uint32_t weight : weights) {
    cluster::Endpoint& endpoint = locality.endpoints.emplace_back();
    endpoint.address = *net::Address::fromIp("10.0.0.1", port++);
    endpoint.weight = weight;
  }
  return cluster::HostSet::build(assignment, {}, previous);
}

// The same, from 127.0.0.1 and ports that count up from one.
inline cluster::HostSetPtr hostsFromPort(uint16_t port, const std::vector<uint32_t>& weights) {
  cluster::Assignment assignment;
  cluster::LocalityEndpoints& locality = assignment.localities.emplace_back();
  for (const uint32_t weight : weights) {
    cluster::Endpoint& endpoint = locality.endpoints.emplace_back();
    endpoint.address = *net::Address::fromIp("127.0.0.1", port++);
    endpoint.weight = weight;
  }
  return cluster::HostSet::build(assignment, {}, nullptr);
}

// A request with a hash, whose retries refuse hosts.
struct Hashed final : LbContext {
  explicit Hashed(uint64_t value) : value(value) {}
  std::optional<uint64_t> hash() const override { return value; }
  bool refuses(const cluster::Host& host) const override { return refused.contains(host.slot()); }
  uint64_t value;
  std::set<cluster::HostSlot> refused;
};

class Picking {
 public:
  explicit Picking(const LbPolicy& policy, cluster::HostSetPtr hosts = cluster::HostSet::empty(), uint64_t seed = 1)
      : policy_(policy),
        balancer_(&policy,
                  {loop_.timers(),
                   registry_.makeCells(),
                   {.healthy_panic = panics_, .zones = zones_},
                   base::Random(seed),
                   HostTable()},
                  LbPolicy::prepare(&policy, std::move(hosts))) {}
  void update(cluster::HostSetPtr hosts) { balancer_.update(LbPolicy::prepare(&policy_, std::move(hosts))); }

  cluster::HostSlot pick(const LbContext& context = {}) { return balancer_.pick(context); }
  std::map<cluster::HostSlot, int> pickMany(int count) {
    std::map<cluster::HostSlot, int> picks;
    for (int i = 0; i < count; ++i) ++picks[pick()];
    return picks;
  }
  HostTable& hosts() { return balancer_.hosts(); }
  event::SimulatedLoop& loop() { return loop_; }
  // What is counted of choices.
  const ZoneStats& zones() const { return zones_; }
  uint64_t count(observability::Counter counter) const { return registry_.counterValue(counter); }
  uint64_t panics() const { return registry_.counterValue(panics_); }

 private:
  event::SimulatedLoop loop_;
  observability::StatsRegistry registry_;
  const observability::Counter panics_ = registry_.counter("panics");
  const ZoneStats zones_{.local_cluster_not_ok = registry_.counter("local_cluster_not_ok"),
                         .routing_all_directly = registry_.counter("routing_all_directly"),
                         .routing_sampled = registry_.counter("routing_sampled"),
                         .routing_cross_zone = registry_.counter("routing_cross_zone"),
                         .no_capacity_left = registry_.counter("no_capacity_left")};
  const LbPolicy& policy_;
  Balancer balancer_;
};

}  // namespace sluice::upstream::lb
