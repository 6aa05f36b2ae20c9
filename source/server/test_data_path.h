// What the tests of the data path share: one worker from the client's bytes to the upstream's, over real sockets in
// virtual time.
#pragma once

#include <catch2/catch.hpp>
#include <deque>

#include "source/http/h2/codec.h"
#include "source/route/cluster_names.h"
#include "source/route/request_policies.h"
#include "source/router/calls.h"
#include "source/router/mirrors.h"
#include "source/router/router.h"
#include "source/session/test_session.h"
#include "source/upstream/pool/test_upstream.h"
#include "source/upstream/test_cluster.h"
#include "test/support/upstream/policies.h"

using namespace std::chrono_literals;

namespace sluice::server {

using session::TestClient;
using upstream::kPriority;
using upstream::cluster::Resource;
using upstream::pool::SilentHost;
using upstream::pool::TestUpstream;

inline const std::string kOk = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

inline std::string request(std::string_view method, std::string_view path, std::string_view fields = "",
                           std::string_view body = "") {
  return std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nhost: x\r\n" + std::string(fields) + "\r\n" +
         std::string(body);
}
inline std::string get(std::string_view path = "/") {
  return request("GET", path);
}
inline std::string post(std::string_view body, std::string_view path = "/") {
  return request("POST", path, "content-length: " + std::to_string(body.size()) + "\r\n", body);
}
inline bool contains(std::string_view text, std::string_view what) {
  return text.find(what) != std::string_view::npos;
}
inline std::string bodyOf(const std::string& message) {
  const size_t at = message.find("\r\n\r\n");
  return at == std::string::npos ? "no message" : message.substr(at + 4);
}

struct DataPath : upstream::TestCluster {
  DataPath() {
    services.add(clusters);
    services.add(mirrors);
    services.add(sessions);
    settings->chain = filter::fixedChain({});
    settings->terminal = std::make_shared<router::RouterSettings>();
    settings->route_slot = std::make_shared<route::TableSlot>(route::TableSlot{0});
    // The clients are services of ours: they may use x-envoy-*.
    settings->internal_addresses = session::InternalAddresses{{*net::Cidr::make("10.0.0.0", 8)}, false};
    settings->access_logs.push_back(std::make_shared<session::TestLog>(log));
    config->lb.policy = std::make_shared<upstream::lb::InTurn>();
    stats.cx_active = registry.gauge("cx_active");
    stats.rq_active = registry.gauge("rq_active");
    stats.rq_pending_active = registry.gauge("pending");
    stats.rq_total = registry.counter("rq_total");
    stats.rq_retry = registry.counter("rq_retry");
    stats.rq_rx_reset = registry.counter("rq_rx_reset");
    stats.rq_timeout = registry.counter("rq_timeout");
    settings->stats.rq_active = registry.gauge("downstream_rq_active");
    route("/", forward("c"));
    hosts({host.address});
  }
  ~DataPath() {
    while (!connections.empty()) connections.front().closeNow("test_end");
    loop.turn();
    clusters.remove(0);
    loop.turn();
    CHECK(used(Resource::kConnections) == 0);
    CHECK(used(Resource::kPendingRequests) == 0);
    CHECK(used(Resource::kRequests) == 0);
    CHECK(used(Resource::kRetries) == 0);
    for (const char* gauge : {"cx_active", "rq_active", "pending", "downstream_rq_active"}) {
      INFO(gauge);
      CHECK(stat(gauge) == 0);
    }
  }

  route::ForwardSpec forward(const std::string& cluster) {
    route::ForwardSpec action;
    action.cluster = names.idOf(cluster);
    action.cluster_name = cluster;
    return action;
  }
  // Puts a route in front of those that are there.
  template <typename Action>
  void route(const std::string& prefix, Action action) {
    route::RouteSpec spec;
    spec.path = prefix;
    spec.action = std::move(action);
    routes.push_front(spec);
    route::TableSpec table;
    route::VirtualHostSpec& everything = table.virtual_hosts.emplace_back();
    everything.name = "v";
    everything.domains = {"*"};
    everything.routes.assign(routes.begin(), routes.end());
    tables.set(0, *route::Table::build(std::move(table)));
  }
  TestClient& connect() {
    net::SocketPair pair = net::unixPair();
    const auto port = static_cast<uint16_t>(4567 + clients.size());
    filter::Accepted accepted = filter::testing::acceptedOf(std::move(pair.ours), port);
    accepted.buffer_limit = buffer_limit;
    session::Connection::start(sessions, settings, std::move(accepted), connections,
                               {http::h1::makeServerCodec, http::h2::makeServerCodec});
    clients.push_back(std::make_unique<TestClient>(std::move(pair.peers)));
    return *clients.back();
  }
  // What the host has got on a connection since the last look.
  std::string seen(size_t peer = 0) {
    loop.turn();
    return host.peer(peer).take();
  }
  void answer(std::string_view bytes = kOk, size_t peer = 0) {
    seen(peer);
    host.peer(peer).send(bytes);
    loop.turn();
  }
  // Sends, lets the host answer, and gives the whole answer.
  std::string exchange(TestClient& client, const std::string& bytes, size_t peer = 0) {
    client.send(bytes);
    answer(kOk, peer);
    return client.take();
  }
  size_t open() {
    size_t count = 0;
    connections.forEach([&count](filter::LiveConnection&) { ++count; });
    return count;
  }

  uint32_t buffer_limit = 1024 * 1024;
  session::RouteTables tables{[](std::shared_ptr<const route::Table>) {}};
  router::ClusterCalls calls{loop, clusters};
  router::Mirrors mirrors{loop, clusters};
  worker::WorkerServices services{setup(calls)};
  session::SessionWorker sessions{services, tables};
  std::vector<std::string> log;
  std::shared_ptr<session::HttpSettings> settings = std::make_shared<session::HttpSettings>();
  route::ClusterNames names;
  std::deque<route::RouteSpec> routes;
  TestUpstream host;
  base::List<filter::LiveConnection> connections;
  std::vector<std::unique_ptr<TestClient>> clients;
};

}  // namespace sluice::server
