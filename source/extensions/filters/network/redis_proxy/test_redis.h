// A redis_proxy in front of hosts under the test's control, in virtual time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "source/extensions/filters/network/redis_proxy/session.h"
#include "source/upstream/pool/test_upstream.h"
#include "source/upstream/test_cluster.h"
#include "test/support/filter/accepted.h"
#include "test/support/upstream/policies.h"

namespace sluice::extensions::network_filters::redis_proxy::testing {

using upstream::pool::TestPeer;
using upstream::pool::TestUpstream;

struct RedisTest : upstream::TestCluster {
  RedisTest() : services(withSlots()) {
    services.add(clusters);
    settings->pool.op_timeout = std::chrono::seconds(1);
    Route all;
    settings->routes.setCatchAll(all);
    for (const redis::Command& command : redis::commands()) {
      settings->commands.emplace(std::string(command.name), ServedCommand{command, {}, {}});
    }
    settings->stats.rq_active = registry.gauge("rq_active");
    settings->stats.unsupported_command = registry.counter("unsupported");
    settings->stats.cx_protocol_error = registry.counter("protocol_error");
    stats.rq_active = registry.gauge("upstream_rq_active");
    stats.rq_timeout = registry.counter("timeout");
    config->lb.policy = std::make_shared<upstream::lb::InTurn>();
    hosts({host.address});
  }
  ~RedisTest() {
    while (!list.empty()) list.front().closeNow("test_end");
    settings.reset();
    loop.turn();
    CHECK(stat("rq_active") == 0);
    CHECK(stat("upstream_rq_active") == 0);
    CHECK(used(upstream::cluster::Resource::kConnections) == 0);
  }
  worker::WorkerServices::Setup withSlots() {
    worker::WorkerServices::Setup out = setup(no_calls);
    out.slots = slots;
    return out;
  }
  TestPeer& connect() {
    if (!settings->pools) {
      settings->pools = std::make_shared<const worker::WorkerLocal<Pool>>(
          slots,
          [pool = settings->pool](worker::WorkerServices& worker) { return std::make_unique<Pool>(worker, pool); });
    }
    net::SocketPair pair = net::unixPair();
    filter::Accepted accepted = filter::testing::acceptedOf(std::move(pair.ours));
    accepted.buffer_limit = buffer_limit;
    Session::start(services, settings, std::move(accepted), list);
    clients.push_back(std::make_unique<TestPeer>(std::move(pair.peers)));
    loop.turn();
    return *clients.back();
  }
  // What the client is answered at once.
  std::string ask(TestPeer& client, std::string_view bytes) {
    client.send(bytes);
    loop.turn();
    return client.take();
  }
  // What the host was sent so far, on its connection of that number.
  std::string asked(size_t connection = 0) {
    loop.turn();
    return host.accept() > connection ? host.peer(connection).take() : std::string();
  }
  void reply(std::string_view bytes, size_t connection = 0) {
    host.peer(connection).send(bytes);
    loop.turn();
  }

  uint32_t buffer_limit = 1024 * 1024;
  worker::LocalSlots slots;
  worker::WorkerServices services;
  std::shared_ptr<Settings> settings = std::make_shared<Settings>();
  base::List<filter::LiveConnection> list;
  TestUpstream host;
  std::vector<std::unique_ptr<TestPeer>> clients;
};

}  // namespace sluice::extensions::network_filters::redis_proxy::testing
