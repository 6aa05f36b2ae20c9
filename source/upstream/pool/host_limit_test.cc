// Limits of connections of one host, and what is said where a limit refuses.
#include "source/upstream/pool/connecting.h"
#include "source/upstream/pool/test_pool.h"

namespace sluice::upstream::pool {
namespace {

struct HostLimitTest : PoolTest {
  explicit HostLimitTest(uint32_t connections) { config->host_connections[0] = connections; }
  // Another pool of the same host, as another worker has one.
  Pool& makeOther(Pool& first) {
    other = std::make_unique<Pool>(
        context,
        std::make_shared<cluster::Host>(upstream.address, "", 0, stream::FixedMetadata(), first.host().monitorPtr()));
    return *other;
  }
};

TEST_CASE("a host gets no more connections than it may have: requests wait for one that gets free") {
  HostLimitTest t(2);
  Pool& pool = t.make();
  Asker one(pool), two(pool), three(pool);
  for (Asker* asker : {&one, &two, &three}) asker->ask();
  t.loop.turn();
  CHECK(t.upstream.accept() == 2);
  CHECK(t.stat("cx_overflow") == 1);
  CHECK(three.heard == "");

  t.answer(0);
  t.answer(0);
  CHECK(three.heard == "200 end ");
  CHECK(pool.connections() == 2);
}

TEST_CASE("a pool that has no connection gets one, so that its requests can be served at all") {
  HostLimitTest t(1);
  Pool& pool = t.make();
  Pool& other = t.makeOther(pool);
  Asker one(pool), two(other), three(other);
  for (Asker* asker : {&one, &two, &three}) asker->ask();
  t.loop.turn();

  CHECK(t.upstream.accept() == 2);
  CHECK(other.connections() == 1);
}

TEST_CASE("connections that ended make room at their host") {
  HostLimitTest t(1);
  Pool& pool = t.make();
  Asker one(pool);
  one.ask();
  t.loop.turn();
  t.upstream.peer(0).close();
  t.loop.turn();
  BegunConnection begun;
  auto& row = pool.hostStats();

  REQUIRE(beginConnection(t.context, pool.host(), row, kPriority, {}, begun) == Begin::kBegun);
  BegunConnection refused;
  CHECK(beginConnection(t.context, pool.host(), row, kPriority, {}, refused) == Begin::kOverflow);
  CHECK(overflowText(t.context, refused, kPriority) ==
        "cluster 'c' is at its limit: circuit_breakers.per_host_thresholds.max_connections is 1 for each host");
  endConnection(t.context, pool.host(), row, kPriority);
  CHECK(t.used(Resource::kConnections) == 0);
}

TEST_CASE("who is refused is told which limit it was, and whether it is the default") {
  PoolTest t;
  Pool& pool = t.make();
  Asker asker(pool);
  const std::string lead = "cluster 'c' is at its limit: circuit_breakers.thresholds.";

  SECTION("connections") {
    t.limit(0);
    asker.ask();
    CHECK(asker.why == lead + "max_connections is 0");
  }
  SECTION("requests that wait") {
    t.limit(1, 0);
    asker.ask();
    CHECK(asker.why == lead + "max_pending_requests is 0");
  }
  SECTION("requests, by default") {
    for (int i = 0; i < 1024; ++i) REQUIRE(t.breakers->tryAcquire(Resource::kRequests, kPriority));
    asker.ask();
    t.loop.turn();
    CHECK(asker.why == lead + "max_requests is 1024, the default; set a higher one if the hosts can take more");
    for (int i = 0; i < 1024; ++i) t.breakers->release(Resource::kRequests, kPriority);
  }
}

}  // namespace
}  // namespace sluice::upstream::pool
