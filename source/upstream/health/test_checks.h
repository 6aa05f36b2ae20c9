// The bed of tests of active checks: hosts that the test plays, and virtual time.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "source/event/polled_loop.h"
#include "source/upstream/health/cluster_checks.h"
#include "source/upstream/pool/test_upstream.h"

using namespace std::chrono_literals;

namespace sluice::upstream::health {

using cluster::Health;
using cluster::HealthCheckConfig;
using cluster::HealthInput;

struct ChecksTest {
  // Of the hosts in their order.
  struct TestHost {
    pool::TestUpstream upstream;
    cluster::EndpointCheck check;
    std::string hostname = {};
  };

  explicit ChecksTest(
      size_t count = 1, std::function<void(HealthCheckConfig&)> change = [](HealthCheckConfig&) {}) {
    check.timeout = 1s;
    check.interval = check.unhealthy_interval = check.healthy_edge_interval = check.unhealthy_edge_interval = 5s;
    check.http.path = "/up";
    check.http.headers = {{"user-agent", "Envoy/HC"}};
    change(check);
    for (size_t i = 0; i < count; ++i) hosts.push_back(std::make_unique<TestHost>());
  }
  std::shared_ptr<cluster::ClusterConfig> config() {
    auto out = std::make_shared<cluster::ClusterConfig>();
    out->name = "c";
    out->health_checks.push_back(std::make_shared<HealthCheckConfig>(check));
    for (const HealthCheckConfig& other : others)
      out->health_checks.push_back(std::make_shared<HealthCheckConfig>(other));
    out->transport = transport;
    out->transport_matches = transport_matches;
    out->lb.hosts.exclude_unchecked = exclude_unchecked;
    return out;
  }
  void start() {
    checks.emplace(CheckWorld{loop, buffers, cells, log}, config(), monitors, registry.scope("cluster", "c"),
                   ClusterChecks::Hooks{.had_traffic = [this] { return traffic; },
                                        .passed = [this](const cluster::Host&) { ++passed; },
                                        .all_checked = [this] { ++all_checked; }},
                   1);
    setHosts();
    turn();
  }
  void setHosts() {
    cluster::Assignment assignment;
    auto& locality = assignment.localities.emplace_back();
    for (const auto& host : hosts) {
      cluster::Endpoint& endpoint = locality.endpoints.emplace_back();
      endpoint.address = host->upstream.address;
      endpoint.check = host->check;
      endpoint.hostname = host->hostname;
    }
    set = cluster::HostSet::build(assignment, {}, set.get(), &monitors);
    if (checks) checks->setHosts(*set);
    turn();
  }
  void turn() { loop.turn(); }
  void pass(event::Duration time) { loop.pass(time); }
  pool::TestPeer& peer(size_t connection = 0, size_t host = 0) { return hosts[host]->upstream.peer(connection); }
  size_t connections(size_t host = 0) { return hosts[host]->upstream.accept(); }
  // Answers the request that is there, if there is one; returns it.
  std::string answer(std::string_view head, std::string_view body = {}, size_t connection = 0, size_t host = 0) {
    std::string request = peer(connection, host).take();
    peer(connection, host)
        .send("HTTP/1.1 " + std::string(head) + "\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" +
              std::string(body));
    turn();
    return request;
  }
  cluster::HostMonitor& monitor(size_t host = 0) { return set->entries()[host].host->monitor(); }
  // Time of day as the loop passes it, from 2001-09-09T01:46:40Z on.
  std::function<std::chrono::system_clock::time_point()> wallClock() {
    return [this, start = loop.now()] {
      return std::chrono::system_clock::time_point(1'000'000'000s) + (loop.now() - start);
    };
  }
  Health health(size_t host = 0) { return monitor(host).opinion(HealthInput::kActiveCheck); }
  bool healthy(size_t host = 0) { return health(host) == Health::kHealthy; }
  int64_t stat(const std::string& name) { return registry.valueOf("cluster.c.health_check." + name).value_or(-1); }

  event::PolledLoop loop;
  net::WorkerBuffers buffers;
  observability::StatsRegistry registry;
  observability::StatsCells& cells = registry.makeCells();
  EventLog log;
  HealthCheckConfig check;
  std::vector<HealthCheckConfig> others;                   // further ones
  std::shared_ptr<const net::TransportFactory> transport;  // null: plain
  cluster::TransportMatches transport_matches;
  bool exclude_unchecked = false;
  std::vector<std::unique_ptr<TestHost>> hosts;
  int flips = 0;
  cluster::HostMonitors monitors{loop, [this] { ++flips; }};
  std::shared_ptr<const cluster::HostSet> set;
  bool traffic = true;
  int passed = 0, all_checked = 0;
  std::optional<ClusterChecks> checks;
};

}  // namespace sluice::upstream::health
