// The data path from socket to socket: circuit breakers, and connections that give way at their limit.
#include "source/server/test_data_path.h"
#include "source/upstream/pool/test_transport.h"

namespace sluice::server {
namespace {

using upstream::pool::PlainFactory;

struct Limits : DataPath {
  Limits() {
    stats.rq_overflow = registry.counter("rq_active_overflow");
    stats.rq_pending_overflow = registry.counter("rq_pending_overflow");
    publish();
  }
  void limit(uint32_t connections, uint32_t requests = 1024) {
    thresholds[0].max_connections = connections;
    thresholds[0].max_requests = requests;
    breakers->setLimits(thresholds);
  }
};

TEST_CASE("a request takes its place in the breaker of requests with its connection") {
  Limits t;
  t.limit(1024, 1);
  TestClient& first = t.connect();
  first.send(get("/first"));
  CHECK(t.seen().starts_with("GET /first "));
  CHECK(t.used(Resource::kRequests) == 1);
  TestClient& second = t.connect();
  second.send(get("/second"));
  t.loop.turn();
  CHECK(second.take().starts_with("HTTP/1.1 503 "));
  CHECK(t.stat("rq_active_overflow") == 1);
  CHECK(t.stat("rq_pending_overflow") == 0);
  CHECK(t.log.at(0) == "/second 503 upstream_reset_before_response_started{overflow} UO");

  t.answer();
  CHECK(bodyOf(first.take()) == "ok");
  CHECK(t.used(Resource::kRequests) == 0);
}

TEST_CASE("requests whose bodies do not come hold no place, and no connection") {
  Limits t;
  t.limit(1, 1);
  const std::string field = GENERATE("content-length: 3\r\n", "transfer-encoding: chunked\r\n");
  for (int i = 0; i < 3; ++i) t.connect().send(request("POST", "/", field));
  TestClient& other = t.connect();
  other.send(get());
  CHECK(t.seen().starts_with("GET / "));
  t.answer();
  CHECK(bodyOf(other.take()) == "ok");
  CHECK(t.used(Resource::kRequests) == 0);

  t.clients[0]->send(field.starts_with("content") ? "abc" : "3\r\nabc\r\n0\r\n\r\n");
  const std::string seen = t.seen();
  CHECK(contains(seen, "POST / HTTP/1.1\r\n"));
  CHECK(contains(seen, "abc"));
  t.answer();
  CHECK(bodyOf(t.clients[0]->take()) == "ok");
}

TEST_CASE("what is only trailers behind a head is sent, too") {
  Limits t;
  t.settings->codec_limits.enable_trailers = true;
  TestClient& client = t.connect();
  client.send(request("POST", "/", "transfer-encoding: chunked\r\n", "0\r\nx-t: 1\r\n\r\n"));
  const std::string seen = t.seen();
  CHECK(contains(seen, "POST / HTTP/1.1\r\n"));
  CHECK(contains(seen, "0\r\nx-t: 1\r\n\r\n"));
}

TEST_CASE("an idle connection to another host makes room at the limit") {
  Limits t;
  t.limit(1);
  TestUpstream second;
  t.hosts({t.host.address, second.address});
  TestClient& client = t.connect();
  size_t answered = 0;
  for (int i = 0; i < 6; ++i) {
    client.send(get());
    t.loop.turn();
    for (TestUpstream* host : {&t.host, &second}) {
      host->accept();
      for (const auto& peer : host->peers) {
        if (peer->take().starts_with("GET / ")) peer->send(kOk);
      }
    }
    t.loop.turn();
    answered += bodyOf(client.take()) == "ok";
  }
  CHECK(answered == 6);
  CHECK(second.peers.size() > 1);  // given up, and opened again
}

TEST_CASE("an idle connection of another worker makes room at the limit") {
  Limits t;
  t.limit(1);
  upstream::ClusterSet others{t.loop, t.buffers, t.cells, 2};
  router::ClusterCalls calls{t.loop, others};
  t.publish(others);
  t.clusters.joinRing([&](auto work) { t.loop.post([work, &others] { work(others); }); });
  others.joinRing([&](auto work) { t.loop.post([work, &t] { work(t.clusters); }); });
  uint16_t status = 0;
  const auto call = calls.send({.cluster = "c"}, [&](filter::HttpCallResponse response) { status = response.status; });
  CHECK(contains(t.seen(), "GET / "));
  TestClient& client = t.connect();
  SECTION("where there is one") {
    t.answer();
    REQUIRE(status == 200);
    client.send(get("/mine"));
    CHECK(t.seen(1).starts_with("GET /mine "));
    t.answer(kOk, 1);
    CHECK(bodyOf(client.take()) == "ok");
    t.seen();
    CHECK(t.host.peer(0).closed);
  }
  SECTION("but not one that is in use") {
    client.send(get("/mine"));
    t.loop.turn();
    t.loop.turn();
    CHECK(client.take().starts_with("HTTP/1.1 503 "));
    t.answer();
    CHECK(status == 200);
  }
  SECTION("nor for a request that is gone meanwhile") {
    client.send(get("/mine"));
    client.close();
    t.loop.turn();
    t.clusters.remove(0);
    t.loop.turn();
    t.answer();
    CHECK(status == 200);
  }
}

TEST_CASE("a cluster that changes closes its idle connections, whoever still holds it") {
  Limits t;
  t.limit(2);
  TestClient& long_lived = t.connect();
  long_lived.send(get("/long"));
  t.seen();
  TestClient& client = t.connect();
  client.send(get());
  CHECK(t.seen(1).starts_with("GET / "));
  t.answer(kOk, 1);
  t.config = std::make_shared<upstream::cluster::ClusterConfig>(*t.config);
  t.publish();
  t.loop.turn();
  CHECK(t.used(Resource::kConnections) == 1);
  t.answer();
  CHECK(bodyOf(long_lived.take()) == "ok");
}

// --- pools that requests call for by their own words ---

struct Named : Limits {
  Named() {
    config->transport = transport;
    config->http.auto_sni = true;
    publish();
  }
  std::shared_ptr<PlainFactory> transport = std::make_shared<PlainFactory>();
};

TEST_CASE("hosts that clients make up do not use the connections up") {
  Named t;
  t.limit(30);
  TestClient& client = t.connect();
  size_t answered = 0;
  for (int i = 0; i < 200; ++i) {
    client.send("GET / HTTP/1.1\r\nhost: h" + std::to_string(i) + ".example\r\n\r\n");
    t.answer(kOk, i);
    answered += bodyOf(client.take()) == "ok";
  }
  CHECK(answered == 200);
  CHECK(t.used(Resource::kConnections) <= 30);
  CHECK(t.transport->server_names.back() == "h199.example");
}

TEST_CASE("of the pools that clients make up those that were used last are kept") {
  Named t;
  TestClient& client = t.connect();
  size_t peer = 0;
  for (int i = 0; i < 200; ++i) {
    client.send("GET / HTTP/1.1\r\nhost: h" + std::to_string(i) + ".example\r\n\r\n");
    t.answer(kOk, peer++);
    client.take();
    t.loop.pass(1ms);
    // Used all the time: its connection stays.
    client.send("GET / HTTP/1.1\r\nhost: known.example\r\n\r\n");
    t.answer(kOk, i == 0 ? peer++ : 1);
    CHECK(bodyOf(client.take()) == "ok");
  }
  CHECK(t.used(Resource::kConnections) <= 65);
}

TEST_CASE("each client has connections of its own where they tell the host who it is") {
  DataPath t;
  auto transport = std::make_shared<upstream::pool::ClientTellingFactory>();
  t.config->transport = transport;
  t.publish();
  TestClient& first = t.connect();
  TestClient& second = t.connect();
  first.send(get("/1"));
  CHECK(t.seen().starts_with("GET /1 "));
  t.answer();
  second.send(get("/2"));
  first.send(get("/3"));
  CHECK(t.seen().starts_with("GET /3 "));
  CHECK(t.seen(1).starts_with("GET /2 "));
  CHECK(transport->clients.at(0) == "10.1.2.3:4567>10.0.0.1:80");
  CHECK(transport->clients.at(1) == "10.1.2.3:4568>10.0.0.1:80");
  CHECK(transport->clients.size() == 2);
}

}  // namespace
}  // namespace sluice::server
