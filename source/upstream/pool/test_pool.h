// The bed of the pool's tests: who asks, a host that is scripted by hand, and virtual time.
#pragma once

#include <catch2/catch.hpp>
#include <deque>

#include "source/upstream/pool/pool.h"
#include "source/upstream/pool/test_h2_host.h"
#include "source/upstream/pool/test_upstream.h"
#include "source/worker/test_worker.h"

using namespace std::chrono_literals;

namespace sluice::upstream::pool {

using cluster::Resource;
inline constexpr auto kPriority = cluster::RoutingPriority::kDefault;
inline const std::string kOk = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

// Who wants a connection: sends a GET once it has one and writes down what it hears.
struct Asker : ExchangeEvents {
  explicit Asker(Pool& pool, bool end = true) : pool(pool), end(end) {}
  Asker& ask(bool fresh = false) {
    pool.request(exchange, {.fresh = fresh, .upgrade = !upgrade.empty()});
    return *this;
  }
  void onReady() override {
    id = exchange.connectionId();
    http::RequestHeaders headers(arena);
    headers.method = end ? "GET" : "POST";
    headers.path = "/";
    headers.authority = "a";
    headers.upgrade = upgrade;
    exchange.sendHeaders(headers, end && upgrade.empty());
  }
  void onFailure(Failure failure, std::string_view text) override {
    heard += "failure" + std::to_string(static_cast<int>(failure)) + " ";
    why = text;
  }
  http::ResponseHeaders& beginResponse() override { return response.emplace(arena); }
  void onInformational() override { heard += "info" + std::to_string(response->status) + " "; }
  void onResponseHeaders(bool end_stream) override {
    heard += std::to_string(response->status) + " ";
    if (end_stream) done();
  }
  void onResponseData(std::string_view data, bool end_stream) override {
    body += data;
    if (holds) credit -= std::min(credit, data.size());
    if (end_stream) done();
  }
  http::Trailers& beginResponseTrailers() override { return trailers.emplace(arena); }
  void onResponseTrailers() override { done(); }
  void onResponseReset(http::ResetReason reason, std::string_view) override {
    const bool refused = reason == http::ResetReason::kRefused;
    heard += refused ? "refused " : reason == http::ResetReason::kUnprocessed ? "unprocessed " : "reset ";
    unseen = exchange.maybeUnseen();
    if (replay) pool.request(exchange, {.fresh = true});
  }
  size_t responseCredit() override { return credit; }
  void onRequestBytesSent() override { ++drained; }
  void done() { heard += "end "; }
  // A tunnel that the host has to accept.
  Asker& askUpgrade() {
    upgrade = "websocket";
    return ask();
  }

  Pool& pool;
  bool end;
  bool replay = false;
  bool unseen = false;
  bool holds = false;  // keeps what it gets: its credit shrinks
  base::Arena arena;
  std::optional<http::ResponseHeaders> response;
  std::optional<http::Trailers> trailers;
  Exchange exchange{*this};
  uint64_t id = 0;
  size_t credit = 1 << 20;
  int drained = 0;
  std::string heard, body, why, upgrade;
};

struct PoolTest : worker::testing::WorkerParts {
  PoolTest() {
    config->name = "c";
    cx_active_ = context.stats.cx_active = registry.gauge("cx_active");
    context.stats.rq_pending_active = registry.gauge("pending");
    context.stats.cx_total = registry.counter("cx_total");
    context.stats.cx_destroy = registry.counter("cx_destroy");
    context.stats.cx_overflow = registry.counter("cx_overflow");
    context.stats.cx_idle_timeout = registry.counter("cx_idle_timeout");
    context.stats.cx_max_requests = registry.counter("cx_max_requests");
    context.stats.cx_protocol_error = registry.counter("cx_protocol_error");
    context.stats.cx_max_duration_reached = registry.counter("cx_max_duration_reached");
    context.stats.http2_keepalive_timeout = registry.counter("keepalive_timeout");
  }
  // Whatever happened, nothing stays counted once the pools are gone.
  ~PoolTest() {
    pool.reset();
    other.reset();
    loop.turn();
    CHECK(used(Resource::kConnections) == 0);
    CHECK(used(Resource::kPendingRequests) == 0);
    CHECK(stat("cx_active") == 0);
    CHECK(stat("pending") == 0);
    CHECK(stat("cx_total") >= stat("cx_destroy"));
  }
  Pool& make(const net::Address& address) {
    pool = std::make_unique<Pool>(context, std::make_shared<cluster::Host>(address, "", 0));
    return *pool;
  }
  Pool& make() { return make(upstream.address); }
  void limit(uint32_t connections, uint32_t pending = 1024) {
    thresholds[0].max_connections = connections;
    thresholds[0].max_pending_requests = pending;
    breakers->setLimits(thresholds);
  }
  uint32_t used(Resource resource) { return breakers->used(resource, kPriority); }
  // The host answers what came in on its connection.
  void answer(size_t peer, std::string_view bytes = kOk) {
    upstream.peer(peer).take();
    upstream.peer(peer).send(bytes);
    loop.turn();
  }

  observability::Gauge cx_active_;
  std::shared_ptr<cluster::ClusterConfig> config = std::make_shared<cluster::ClusterConfig>();
  cluster::ThresholdsByPriority thresholds;
  std::shared_ptr<cluster::Breakers> breakers = std::make_shared<cluster::Breakers>(thresholds);
  PoolContext context{loop, buffers, cells, config, breakers, {}};
  TestUpstream upstream;
  std::unique_ptr<Pool> pool, other;
};

}  // namespace sluice::upstream::pool
