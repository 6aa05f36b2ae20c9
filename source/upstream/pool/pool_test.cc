#include "source/upstream/pool/test_pool.h"

namespace sluice::upstream::pool {
namespace {

TEST_CASE("a free connection is used again") {
  PoolTest t;
  Pool& pool = t.make();
  for (int i = 0; i < 3; ++i) {
    Asker asker(pool);
    asker.ask();
    t.loop.turn();
    t.answer(0);
    CHECK(asker.heard == "200 end ");
    CHECK(asker.body == "ok");
  }
  CHECK(t.upstream.accept() == 1);
  CHECK(t.stat("cx_total") == 1);
  const cluster::HostStats& told = pool.host().stats();
  CHECK(told.sum(cluster::HostStat::kCxTotal) == 1);
  CHECK(told.sum(cluster::HostStat::kCxActive) == 1);
  CHECK(told.sum(cluster::HostStat::kRqTotal) == 3);
  CHECK(told.sum(cluster::HostStat::kRqActive) == 0);
}

TEST_CASE("of free connections the one that was used last is taken") {
  PoolTest t;
  Pool& pool = t.make();
  Asker one(pool), two(pool), three(pool);
  for (Asker* asker : {&one, &two, &three}) asker->ask();
  t.loop.turn();
  t.answer(2);
  t.answer(0);
  t.answer(1);
  Asker next(pool), after(pool);
  next.ask();
  after.ask();
  CHECK(next.id == two.id);
  CHECK(after.id == one.id);
}

TEST_CASE("requests that wait are served in order, by whatever connection gets free first") {
  PoolTest t;
  t.limit(1);
  Pool& pool = t.make();
  Asker one(pool), two(pool), three(pool);
  for (Asker* asker : {&one, &two, &three}) asker->ask();
  t.loop.turn();
  t.answer(0);
  CHECK(one.heard == "200 end ");
  CHECK(two.exchange.open());
  CHECK(!three.exchange.open());
  t.answer(0);
  t.answer(0);
  CHECK(three.heard == "200 end ");
  CHECK(t.upstream.accept() == 1);
}

TEST_CASE("a host that refuses fails each request once") {
  PoolTest t;
  t.upstream.stop();
  Pool& pool = t.make();
  Asker one(pool), two(pool);
  one.ask();
  two.ask();
  t.loop.turn();
  CHECK(one.heard == "failure0 ");
  CHECK(two.heard == "failure0 ");
  CHECK_FALSE(one.why.empty());
  CHECK(pool.host().stats().sum(cluster::HostStat::kCxConnectFail) == 2);
  CHECK(pool.host().stats().sum(cluster::HostStat::kCxActive) == 0);
}

TEST_CASE("a TCP host that refuses fails each request once, those behind the limit too") {
  PoolTest t;
  t.limit(GENERATE(1, 2, 10));
  net::Address address;
  {
    const net::Fd fd = *net::listenOn(*net::Address::fromIp("127.0.0.1", 0), {});
    address = net::localAddress(fd.get());
  }
  Pool& pool = t.make(address);
  std::deque<Asker> askers;
  for (int i = 0; i < 5; ++i) askers.emplace_back(pool).ask();
  CHECK(t.loop.until(
      [&] { return std::all_of(askers.begin(), askers.end(), [](const Asker& a) { return !a.heard.empty(); }); }));
  for (const Asker& asker : askers) CHECK(asker.heard == "failure0 ");
}

TEST_CASE("an attempt that takes too long fails its request, those behind the limit get one of their own") {
  PoolTest t;
  t.limit(1);
  t.config->connect_timeout = 2s;
  SilentHost silent;
  Pool& pool = t.make(silent.address);
  Asker one(pool), two(pool);
  one.ask();
  two.ask();
  t.loop.pass(1999ms);
  CHECK(one.heard == "");
  t.loop.pass(1ms);
  CHECK(one.heard == "failure1 ");
  CHECK(two.heard == "");
  t.loop.pass(2s);
  CHECK(two.heard == "failure1 ");
}

TEST_CASE("a host that goes away fails those that wait behind the limit") {
  PoolTest t;
  t.limit(1);
  Pool& pool = t.make();
  Asker one(pool), two(pool), three(pool);
  for (Asker* asker : {&one, &two, &three}) asker->ask();
  t.loop.turn();
  t.upstream.accept();
  t.upstream.stop();
  t.upstream.peer(0).close();
  t.loop.turn();
  CHECK(one.heard == "reset ");
  CHECK(two.heard == "failure0 ");
  CHECK(three.heard == "failure0 ");
}

TEST_CASE("a connection that dies busy is replaced for those that wait") {
  PoolTest t;
  t.limit(1);
  Pool& pool = t.make();
  Asker one(pool), two(pool);
  one.ask();
  two.ask();
  t.loop.turn();
  t.upstream.peer(0).close();
  t.loop.turn();
  CHECK(one.heard == "reset ");
  t.answer(1);
  CHECK(two.heard == "200 end ");
}

TEST_CASE("no more requests wait than allowed") {
  PoolTest t;
  t.limit(1, 1);
  Pool& pool = t.make();
  Asker one(pool);
  one.ask();
  t.loop.turn();
  Asker two(pool), three(pool);
  two.ask();
  three.ask();
  CHECK(two.heard == "");
  CHECK(three.heard == "failure2 ");
}

TEST_CASE("the connection limit holds over all pools that share it") {
  PoolTest t;
  t.limit(3);
  Pool& pool = t.make();
  TestUpstream elsewhere;
  t.other = std::make_unique<Pool>(t.context, std::make_shared<cluster::Host>(elsewhere.address, "", 1));
  std::deque<Asker> askers;
  for (int i = 0; i < 5; ++i) {
    askers.emplace_back(pool).ask();
    askers.emplace_back(*t.other).ask();
    CHECK(t.used(Resource::kConnections) <= 3);
    t.loop.turn();
  }
  CHECK(t.upstream.accept() + elsewhere.accept() == 3);
  CHECK(pool.connections() + t.other->connections() == 3);
}

TEST_CASE("a pool without a connection at the limit refuses at once") {
  PoolTest t;
  t.limit(1);
  Pool& pool = t.make();
  TestUpstream elsewhere;
  t.other = std::make_unique<Pool>(t.context, std::make_shared<cluster::Host>(elsewhere.address, "", 1));
  Asker one(pool), two(*t.other);
  one.ask();
  t.loop.turn();
  two.ask();
  CHECK(two.heard == "failure2 ");
}

TEST_CASE("a free connection is closed after the idle timeout") {
  PoolTest t;
  t.config->http.idle_timeout = 10s;
  Pool& pool = t.make();
  Asker asker(pool);
  asker.ask();
  t.loop.turn();
  t.loop.pass(60s);  // busy is not idle
  t.answer(0);
  CHECK(asker.heard == "200 end ");
  t.loop.pass(9s);
  CHECK(pool.connections() == 1);
  t.loop.pass(1s);
  CHECK(pool.connections() == 0);
  CHECK(t.stat("cx_idle_timeout") == 1);
  t.upstream.peer(0).take();
  CHECK(t.upstream.peer(0).closed);
}

TEST_CASE("a free connection that its peer closes is not used again") {
  PoolTest t;
  Pool& pool = t.make();
  Asker one(pool);
  one.ask();
  t.loop.turn();
  t.answer(0);
  SECTION("closed") {
    t.upstream.peer(0).close();
  }
  SECTION("half closed") {
    t.upstream.peer(0).finish();
  }
  SECTION("with bytes that nobody asked for") {
    t.upstream.peer(0).send(kOk);
  }
  t.loop.turn();
  CHECK(pool.connections() == 0);
  Asker two(pool);
  two.ask();
  t.loop.turn();
  t.answer(1);
  CHECK(two.heard == "200 end ");
}

TEST_CASE("bytes behind a response are no part of it and end the connection") {
  PoolTest t;
  Pool& pool = t.make();
  Asker one(pool), waits(pool);
  one.ask();
  t.loop.turn();
  t.limit(1);
  waits.ask();
  t.answer(0, kOk + "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil");
  CHECK(one.heard == "200 end ");
  CHECK(one.body == "ok");
  t.loop.turn();
  t.answer(1);
  CHECK(waits.body == "ok");
}

TEST_CASE("a response that comes before the end of its request closes the connection") {
  PoolTest t;
  Pool& pool = t.make();
  Asker one(pool, false);
  one.ask();
  t.loop.turn();
  one.exchange.sendData("abc", false);
  t.loop.turn();
  t.answer(0);
  CHECK(one.heard == "200 end ");
  CHECK(pool.connections() == 0);
}

TEST_CASE("a connection whose peer announced its end is not used again") {
  PoolTest t;
  Pool& pool = t.make();
  Asker one(pool);
  one.ask();
  t.loop.turn();
  t.answer(0, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
  CHECK(one.heard == "200 end ");
  CHECK(pool.connections() == 0);
}

TEST_CASE("a response that ends with its connection is whole, one that should not is reset") {
  PoolTest t;
  Pool& pool = t.make();
  Asker whole(pool), cut(pool);
  whole.ask();
  cut.ask();
  t.loop.turn();
  t.answer(0, "HTTP/1.1 200 OK\r\n\r\nall");
  t.answer(1, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsome");
  t.upstream.peer(0).close();
  t.upstream.peer(1).close();
  t.loop.turn();
  CHECK(whole.heard == "200 end ");
  CHECK(whole.body == "all");
  CHECK(cut.heard == "200 reset ");
  CHECK(pool.connections() == 0);
}

TEST_CASE("what is no HTTP resets the exchange") {
  PoolTest t;
  Pool& pool = t.make();
  Asker one(pool);
  one.ask();
  t.loop.turn();
  t.answer(0, "hello\r\n\r\n");
  CHECK(one.heard == "reset ");
  CHECK(pool.connections() == 0);
  CHECK(t.stat("cx_protocol_error") == 1);
}

TEST_CASE("a connection serves as many requests as allowed") {
  PoolTest t;
  t.config->http.max_requests_per_connection = 2;
  Pool& pool = t.make();
  for (int i = 0; i < 4; ++i) {
    Asker asker(pool);
    asker.ask();
    t.loop.turn();
    t.answer(i / 2);
    CHECK(asker.heard == "200 end ");
  }
  CHECK(t.upstream.accept() == 2);
  CHECK(t.stat("cx_max_requests") == 2);
}

TEST_CASE("only a used connection that gave nothing back may have died unseen") {
  PoolTest t;
  Pool& pool = t.make();
  Asker first(pool);
  first.ask();
  t.loop.turn();
  SECTION("new") {
    t.upstream.peer(0).close();
    t.loop.turn();
    CHECK_FALSE(first.unseen);
  }
  SECTION("used") {
    t.answer(0);
    Asker second(pool);
    second.ask();
    t.loop.turn();
    const bool some = GENERATE(false, true);
    if (some) t.answer(0, "HTTP/1.1 2");
    t.upstream.peer(0).close();
    t.loop.turn();
    CHECK(second.heard == "reset ");
    CHECK(second.unseen == !some);
  }
}

TEST_CASE("a request that is sent again gets a connection of its own, at the limit too") {
  PoolTest t;
  t.limit(1);
  Pool& pool = t.make();
  Asker first(pool);
  first.ask();
  t.loop.turn();
  t.answer(0);
  Asker again(pool);
  again.replay = true;
  again.ask();
  t.loop.turn();
  t.upstream.peer(0).close();
  t.loop.turn();
  t.answer(1);
  CHECK(again.heard == "reset 200 end ");
}

TEST_CASE("a pool that drains closes what is free and lets the rest finish") {
  PoolTest t;
  t.limit(2);
  Pool& pool = t.make();
  Asker busy(pool), done(pool), waits(pool);
  busy.ask();
  done.ask();
  waits.ask();
  t.loop.turn();
  SECTION("with one that waits") {
    pool.drain();
    t.answer(1);
    CHECK(waits.exchange.open());
    t.answer(1);
    CHECK(waits.heard == "200 end ");
    CHECK(pool.connections() == 1);
  }
  SECTION("with one free") {
    t.answer(1);
    t.answer(1);
    CHECK(pool.connections() == 2);
    pool.drain();
    CHECK(pool.connections() == 1);
  }
  CHECK_FALSE(pool.empty());
  t.answer(0);
  CHECK(busy.heard == "200 end ");
  CHECK(pool.empty());
}

TEST_CASE("a pool that drains while it connects serves who waits for that") {
  PoolTest t;
  Pool& pool = t.make();
  Asker one(pool);
  one.ask();
  pool.drain();
  t.loop.turn();
  t.answer(0);
  CHECK(one.heard == "200 end ");
  CHECK(pool.empty());
}

TEST_CASE("the end of a pool fails what runs and what waits") {
  PoolTest t;
  t.limit(2);
  Pool& pool = t.make();
  std::deque<Asker> askers;
  for (int i = 0; i < 4; ++i) askers.emplace_back(pool).ask();
  t.loop.turn();
  t.answer(0);  // one done, its connection goes to the third
  std::unique_ptr<Pool> gone = std::move(t.pool);
  gone.reset();
  CHECK(askers[0].heard == "200 end ");
  CHECK(askers[1].heard == "reset ");
  CHECK(askers[2].heard == "reset ");
  CHECK(askers[3].heard == "failure3 ");
  t.loop.turn();
  askers.clear();
}

TEST_CASE("who gives up while waiting or busy leaves nothing behind") {
  PoolTest t;
  t.limit(1);
  Pool& pool = t.make();
  auto busy = std::make_unique<Asker>(pool);
  auto waits = std::make_unique<Asker>(pool);
  Asker last(pool);
  busy->ask();
  waits->ask();
  last.ask();
  t.loop.turn();
  waits.reset();
  CHECK(t.used(Resource::kPendingRequests) == 1);
  busy.reset();
  t.loop.turn();
  t.answer(1);
  CHECK(last.heard == "200 end ");
}

// Does not send once it has a connection.
struct Quitter : Asker {
  Quitter(Pool& pool, bool at_once) : Asker(pool), at_once(at_once) {}
  void onReady() override {
    if (at_once) exchange.abandon();
  }
  const bool at_once;
};

TEST_CASE("who gives up before anything was sent leaves the connection to the next") {
  PoolTest t;
  t.limit(1);
  Pool& pool = t.make();
  Quitter quits(pool, GENERATE(false, true));
  Asker waits(pool);
  quits.ask();
  waits.ask();
  t.loop.turn();

  quits.exchange.abandon();
  t.loop.turn();

  t.answer(0);
  CHECK(waits.heard == "200 end ");
  CHECK(t.upstream.accept() == 1);
}

TEST_CASE("without credit a response is not read, and goes on when there is some") {
  PoolTest t;
  Pool& pool = t.make();
  Asker one(pool);
  one.credit = 0;
  one.ask();
  t.loop.turn();
  t.answer(0);
  CHECK(one.heard == "");
  one.credit = 10;
  one.exchange.resumeReading();
  t.loop.turn();
  CHECK(one.heard == "200 end ");
}

TEST_CASE("a request body larger than the socket takes is told when it has left") {
  PoolTest t;
  Pool& pool = t.make();
  Asker one(pool, false);
  one.ask();
  t.loop.turn();
  one.exchange.sendData(std::string(1 << 20, 'x'), false);
  REQUIRE(one.exchange.unsentBytes() > 0);
  for (int i = 0; i < 100 && one.drained == 0; ++i) {
    t.upstream.peer(0).take();
    t.loop.turn();
  }
  CHECK(one.drained == 1);
  CHECK(one.exchange.unsentBytes() == 0);
}

TEST_CASE("informational heads come before the response") {
  PoolTest t;
  Pool& pool = t.make();
  Asker one(pool);
  one.ask();
  t.loop.turn();
  t.answer(0, "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + kOk);
  CHECK(one.heard == "info103 200 end ");
}

}  // namespace
}  // namespace sluice::upstream::pool
