// The data path from socket to socket: circuit breakers, and connections that give way at their limit.
#include "source/server/test_data_path.h"

namespace sluice::server {
namespace {

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
  uint32_t used(Resource resource) { return breakers->used(resource, kPriority); }
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

}  // namespace
}  // namespace sluice::server
