// Connections that are made before there are requests for them.
#include "source/upstream/pool/test_pool.h"

namespace sluice::upstream::pool {
namespace {

struct PreconnectTest : PoolTest {
  explicit PreconnectTest(double ratio) { config->preconnect_ratio = ratio; }
  size_t connectionsNow() {
    loop.turn();
    return upstream.accept();
  }
};

TEST_CASE("without a ratio a host gets the connections that its requests need") {
  PreconnectTest t(1);
  Asker one(t.make());
  one.ask();
  CHECK(t.connectionsNow() == 1);
}

TEST_CASE("a host gets connections for more requests than it has") {
  PreconnectTest t(1.5);
  Pool& pool = t.make();
  Asker one(pool), two(pool);
  one.ask();
  CHECK(t.connectionsNow() == 2);
  two.ask();  // on the one that is there
  CHECK(two.exchange.open());
  CHECK(t.connectionsNow() == 3);

  t.answer(0);
  t.answer(1);
  Asker three(pool);
  three.ask();
  CHECK(t.connectionsNow() == 3);
  CHECK(three.exchange.open());
}

TEST_CASE("requests that wait are counted as those that run") {
  PreconnectTest t(2);
  Pool& pool = t.make();
  Asker one(pool), two(pool);
  one.ask();
  two.ask();
  CHECK(t.connectionsNow() == 4);
}

TEST_CASE("nothing is connected ahead beyond the limit, and nobody is refused for it") {
  PreconnectTest t(3);
  t.limit(2);
  Pool& pool = t.make();
  Asker one(pool), two(pool);
  one.ask();
  CHECK(t.connectionsNow() == 2);
  two.ask();
  t.loop.turn();
  t.answer(0);
  t.answer(1);

  CHECK(one.heard == "200 end ");
  CHECK(two.heard == "200 end ");
  CHECK(t.stat("cx_overflow") == 0);
}

TEST_CASE("a host that refuses fails each request once, however many connections were begun") {
  PreconnectTest t(3);
  Pool& pool = t.make();
  t.upstream.stop();
  Asker one(pool), two(pool);
  one.ask();
  two.ask();
  for (int i = 0; i < 5; ++i) t.loop.turn();

  CHECK(one.heard == "failure0 ");
  CHECK(two.heard == "failure0 ");
  CHECK(pool.connections() == 0);
}

TEST_CASE("a connection of many streams has room for those that are to come") {
  PreconnectTest t(3);
  t.config->http.protocol = cluster::UpstreamProtocol::kHttp2;
  Asker one(t.make());
  one.ask();
  CHECK(t.connectionsNow() == 1);
}

}  // namespace
}  // namespace sluice::upstream::pool
