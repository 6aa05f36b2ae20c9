// Pools whose connections carry many requests, and tunnels.
#include "source/upstream/pool/test_pool.h"
#include "source/upstream/pool/test_transport.h"

namespace sluice::upstream::pool {
namespace {

namespace h2 = http::h2;

struct H2PoolTest : PoolTest {
  H2PoolTest() { config->http.protocol = cluster::UpstreamProtocol::kHttp2; }
  H2Host host(size_t peer = 0) { return H2Host(loop, upstream, peer); }
};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("requests share a connection of HTTP/2") {
  H2PoolTest t;
  Pool& pool = t.make();
  H2Host host = t.host();
  Asker one(pool), two(pool), three(pool);
  one.ask();
  two.ask();
  t.loop.turn();
  three.ask();
  const std::string seen = host.seen();
  CHECK(contains(seen, "HEADERS 1 ES :method=GET"));
  CHECK(contains(seen, "HEADERS 3 ES :method=GET"));
  CHECK(contains(seen, "HEADERS 5 ES :method=GET"));
  host.send(h2::settings() + host.ok(5) + host.ok(1));
  CHECK(three.heard == "200 end ");
  CHECK(one.heard == "200 end ");
  CHECK(two.heard == "");
  host.send(host.ok(3));
  CHECK(two.body == "ok");
  CHECK(t.upstream.accept() == 1);
}

TEST_CASE("a further connection is opened when the host takes no more streams") {
  H2PoolTest t;
  Pool& pool = t.make();
  H2Host host = t.host();
  Asker first(pool);
  first.ask();
  t.loop.turn();
  host.settings(2);
  std::deque<Asker> askers;
  for (int i = 0; i < 3; ++i) askers.emplace_back(pool).ask();
  t.loop.turn();
  CHECK(t.upstream.accept() == 2);
  CHECK(pool.connections() == 2);
  H2Host second = t.host(1);
  const std::string seen = second.seen();
  CHECK(contains(seen, "HEADERS 1 "));
  CHECK(contains(seen, "HEADERS 3 "));
  second.send(h2::settings() + second.ok(1) + second.ok(3));
  CHECK(askers[1].heard == "200 end ");
  CHECK(askers[2].heard == "200 end ");
}

TEST_CASE("our own limit of streams opens further connections too, up to the connection limit") {
  H2PoolTest t;
  t.config->http.max_concurrent_streams = 1;
  t.limit(2);
  Pool& pool = t.make();
  std::deque<Asker> askers;
  for (int i = 0; i < 3; ++i) askers.emplace_back(pool).ask();
  t.loop.turn();
  CHECK(t.upstream.accept() == 2);
  CHECK(t.used(Resource::kPendingRequests) == 1);
  H2Host host = t.host();
  host.send(h2::settings() + host.ok(1));
  CHECK(contains(host.seen(), "HEADERS 3 "));  // the third got the stream that was freed
  host.send(host.ok(3));
  CHECK(askers[2].heard == "200 end ");
}

TEST_CASE("a stream that is given up is reset and its place given to who waits") {
  H2PoolTest t;
  t.config->http.max_concurrent_streams = 1;
  t.limit(1);
  Pool& pool = t.make();
  auto one = std::make_unique<Asker>(pool);
  Asker two(pool);
  one->ask();
  two.ask();
  t.loop.turn();
  H2Host host = t.host();
  host.send(h2::settings());
  one.reset();
  CHECK_FALSE(two.exchange.open());  // from the loop only
  const std::string seen = host.seen();
  CHECK(contains(seen, "RST_STREAM 1 8"));
  CHECK(contains(seen, "HEADERS 3 "));
  host.send(host.ok(3));
  CHECK(two.heard == "200 end ");
  CHECK(pool.connections() == 1);
}

TEST_CASE("GOAWAY ends what the host did not look at, and the connection when the rest is done") {
  H2PoolTest t;
  Pool& pool = t.make();
  Asker one(pool), two(pool);
  one.ask();
  two.ask();
  t.loop.turn();
  H2Host host = t.host();
  host.send(h2::settings() + h2::goaway(1, 0));
  CHECK(two.heard == "unprocessed ");
  CHECK(one.heard == "");
  Asker three(pool);
  three.ask();
  t.loop.turn();
  CHECK(t.upstream.accept() == 2);  // no new stream there
  host.send(host.ok(1));
  CHECK(one.heard == "200 end ");
  CHECK(pool.connections() == 1);
  host.seen();
  CHECK(host.peer().closed);
}

TEST_CASE("a connection of HTTP/2 that breaks resets all that it carries") {
  H2PoolTest t;
  Pool& pool = t.make();
  std::deque<Asker> askers;
  for (int i = 0; i < 3; ++i) askers.emplace_back(pool).ask();
  t.loop.turn();
  H2Host host = t.host();
  SECTION("closed") {
    host.peer().close();
  }
  SECTION("no HTTP/2") {
    host.send("HTTP/1.1 400 Bad Request\r\n\r\n");
    CHECK(t.stat("cx_protocol_error") == 1);
  }
  t.loop.turn();
  for (const Asker& asker : askers) CHECK(asker.heard == "reset ");
  CHECK(pool.connections() == 0);
}

TEST_CASE("an attempt that fails fails those whom it would have served") {
  H2PoolTest t;
  t.upstream.stop();
  Pool& pool = t.make();
  std::deque<Asker> askers;
  for (int i = 0; i < 3; ++i) askers.emplace_back(pool).ask();
  t.loop.turn();
  for (const Asker& asker : askers) CHECK(asker.heard == "failure0 ");
}

TEST_CASE("a connection of HTTP/2 serves as many requests as allowed, and is closed when idle or old") {
  H2PoolTest t;
  H2Host host = t.host();
  SECTION("requests") {
    t.config->http.max_requests_per_connection = 2;
    Pool& pool = t.make();
    std::deque<Asker> askers;
    for (int i = 0; i < 3; ++i) {
      askers.emplace_back(pool).ask();
      t.loop.turn();
    }
    CHECK(t.upstream.accept() == 2);
    CHECK(t.stat("cx_max_requests") == 1);
    host.send(h2::settings() + host.ok(1) + host.ok(3));
    CHECK(askers[1].heard == "200 end ");
    CHECK(pool.connections() == 1);
  }
  SECTION("idle") {
    t.config->http.idle_timeout = 10s;
    Pool& pool = t.make();
    Asker asker(pool);
    asker.ask();
    t.loop.pass(60s);
    CHECK(pool.connections() == 1);
    host.send(h2::settings() + host.ok(1));
    t.loop.pass(10s);
    CHECK(pool.connections() == 0);
    CHECK(t.stat("cx_idle_timeout") == 1);
  }
  SECTION("old") {
    t.config->http.max_connection_duration = 10s;
    Pool& pool = t.make();
    Asker asker(pool);
    asker.ask();
    t.loop.pass(10s);
    CHECK(t.stat("cx_max_duration_reached") == 1);
    CHECK(pool.connections() == 1);
    CHECK(contains(host.seen(), "GOAWAY"));
    host.send(h2::settings() + host.ok(1));
    CHECK(asker.heard == "200 end ");
    CHECK(pool.connections() == 0);
  }
}

TEST_CASE("a host that does not answer pings is given up") {
  H2PoolTest t;
  t.config->http.http2_keepalive_interval = 10s;
  t.config->http.http2_keepalive_timeout = 2s;
  t.config->http.http2_keepalive_jitter_percent = 0;
  Pool& pool = t.make();
  Asker asker(pool);
  asker.ask();
  t.loop.turn();
  H2Host host = t.host();
  host.send(h2::settings());
  t.loop.pass(10s);
  CHECK(contains(host.seen(), "PING"));
  SECTION("silent") {
    t.loop.pass(2s);
    CHECK(asker.heard == "reset ");
    CHECK(t.stat("keepalive_timeout") == 1);
    CHECK(pool.connections() == 0);
  }
  SECTION("alive") {
    host.send(h2::ping(std::string("\0\0\0\0\0\0\0\1", 8), h2::kAck));
    t.loop.pass(2s);
    CHECK(asker.heard == "");
    t.loop.pass(10s);
    CHECK(contains(host.seen(), "PING"));
  }
}

TEST_CASE("a host that was silent for long is pinged ahead of the next request, and then only") {
  H2PoolTest t;
  t.config->http.http2_idle_interval = 10s;
  t.config->http.http2_keepalive_timeout = 2s;
  Pool& pool = t.make();
  Asker first(pool), second(pool), third(pool);
  first.ask();
  t.loop.turn();
  H2Host host = t.host();
  host.send(h2::settings() + host.ok(1));
  t.loop.pass(9s);
  second.ask();
  t.loop.turn();
  CHECK_FALSE(contains(host.seen(), "PING"));
  host.send(host.ok(3));
  t.loop.pass(60s);
  CHECK_FALSE(contains(host.seen(), "PING"));

  third.ask();
  t.loop.turn();

  const std::string seen = host.seen();
  CHECK(seen.find("PING") < seen.find("HEADERS 5"));
  SECTION("silent") {
    t.loop.pass(2s);
    CHECK(third.heard == "reset ");
    CHECK(t.stat("keepalive_timeout") == 1);
    CHECK(pool.connections() == 0);
  }
  SECTION("alive") {
    host.send(h2::ping(std::string("\0\0\0\0\0\0\0\1", 8), h2::kAck));
    t.loop.pass(60s);
    CHECK(third.heard == "");
    CHECK_FALSE(contains(host.seen(), "PING"));
  }
}

TEST_CASE("a reader that is slow keeps its own window closed, no other's") {
  H2PoolTest t;
  t.config->http.http2.initial_stream_window = 65535;
  Pool& pool = t.make();
  Asker slow(pool), quick(pool);
  slow.credit = 65535;
  slow.holds = true;
  slow.ask();
  quick.ask();
  t.loop.turn();
  H2Host host = t.host();
  host.send(h2::settings() + host.head(1, {{":status", "200"}}) + host.head(3, {{":status", "200"}}));
  const std::string chunk(10000, 'x');
  for (int i = 0; i < 6; ++i) host.send(h2::data(1, chunk) + h2::data(3, chunk));
  const std::string seen = host.seen();
  CHECK(contains(seen, "WINDOW_UPDATE 3 "));
  CHECK_FALSE(contains(seen, "WINDOW_UPDATE 1 "));
  CHECK(slow.body.size() == 60000);
  CHECK(quick.body.size() == 60000);
  host.send(h2::data(3, "", true) + h2::data(1, std::string(5000, 'x')));
  CHECK(quick.heard == "200 end ");
  slow.credit = 65535;
  slow.exchange.resumeReading();
  CHECK(contains(host.seen(), "WINDOW_UPDATE 1 "));
}

TEST_CASE("a reader that has room for more than the window gets it") {
  H2PoolTest t;
  t.config->http.http2.initial_stream_window = 65535;
  Pool& pool = t.make();
  Asker one(pool);
  one.credit = 200'000;
  one.holds = true;
  one.ask();
  t.loop.turn();
  H2Host host = t.host();
  host.send(h2::settings() + host.head(1, {{":status", "200"}}));
  const std::string chunk(10000, 'x');
  for (int i = 0; i < 6; ++i) host.send(h2::data(1, chunk));
  CHECK(contains(host.seen(), "WINDOW_UPDATE 1 "));

  // What it was given is gone, and it has no more room than others from now on.
  one.holds = false;
  one.credit = 65535;
  for (int i = 0; i < 6; ++i) host.send(h2::data(1, chunk));
  CHECK(contains(host.seen(), "WINDOW_UPDATE 1 "));
}

TEST_CASE("a request body waits for the host's window and is told when it has left") {
  H2PoolTest t;
  Pool& pool = t.make();
  Asker one(pool, false);
  one.ask();
  t.loop.turn();
  H2Host host = t.host();
  host.send(h2::settings());
  one.exchange.sendData(std::string(100000, 'x'), true);
  host.seen();
  CHECK(one.exchange.unsentBytes() == 100000 - 65535);
  const int before = one.drained;
  host.send(h2::windowUpdate(0, 100000) + h2::windowUpdate(1, 100000));
  CHECK(one.drained > before);
  CHECK(one.exchange.unsentBytes() == 0);
}

TEST_CASE("an early answer of HTTP/2 resets the rest of its request and keeps the connection") {
  H2PoolTest t;
  Pool& pool = t.make();
  Asker one(pool, false);
  one.ask();
  t.loop.turn();
  H2Host host = t.host();
  host.send(h2::settings() + host.ok(1));
  CHECK(one.heard == "200 end ");
  CHECK(contains(host.seen(), "RST_STREAM 1"));
  CHECK(pool.connections() == 1);
  Asker two(pool);
  two.ask();
  CHECK(contains(host.seen(), "HEADERS 3 "));
}

TEST_CASE("a stream that is given up in the middle of a head takes no more of it") {
  H2PoolTest t;
  Pool& pool = t.make();
  auto one = std::make_unique<Asker>(pool);
  Asker two(pool);
  one->ask();
  two.ask();
  t.loop.turn();
  H2Host host = t.host();
  h2::Fields fields{{":status", "200"}};
  for (int i = 0; i < 50; ++i) fields.emplace_back("x-" + std::to_string(i), std::string(50, 'v'));
  const std::string head = host.head(1, fields, true);
  host.send(h2::settings() + head.substr(0, head.size() / 2));
  one.reset();
  host.send(head.substr(head.size() / 2) + host.ok(3));
  CHECK(two.heard == "200 end ");
}

TEST_CASE("the first upgrade on a connection of HTTP/2 waits for the host's SETTINGS, other requests do not") {
  H2PoolTest t;
  Pool& pool = t.make();
  Asker upgrade(pool), plain(pool);
  upgrade.askUpgrade();
  plain.ask();
  t.loop.turn();
  H2Host host = t.host();
  const std::string before = host.seen();
  CHECK(contains(before, "HEADERS 1 ES :method=GET"));
  CHECK_FALSE(contains(before, "CONNECT"));

  host.send(h2::settings(h2::setting(8, 1)));

  CHECK(contains(host.seen(), "HEADERS 3 :method=CONNECT :protocol=websocket"));
  CHECK(upgrade.heard == "");
  host.send(host.head(3, {{":status", "200"}}) + host.ok(1));
  CHECK(upgrade.heard == "101 ");
  CHECK(plain.heard == "200 end ");
  t.loop.advance(60s);
  CHECK(upgrade.heard == "101 ");
}

TEST_CASE("an upgrade that the host of HTTP/2 does not allow fails and says so") {
  H2PoolTest t;
  Pool& pool = t.make();
  Asker first(pool), second(pool);
  first.askUpgrade();
  t.loop.turn();
  H2Host host = t.host();

  host.send(h2::settings());
  second.askUpgrade();

  for (const Asker* asker : {&first, &second}) {
    CHECK(asker->heard == "failure4 ");
    CHECK(contains(asker->why, "ENABLE_CONNECT_PROTOCOL"));
    CHECK_FALSE(asker->exchange.open());
  }
  Asker plain(pool);
  plain.ask();
  CHECK(contains(host.seen(), "HEADERS 1 ES :method=GET"));
  CHECK(t.upstream.accept() == 1);
}

TEST_CASE("an upgrade goes by HTTP/1.1 where a host that chose HTTP/2 takes none by that") {
  PoolTest t;
  auto transport = std::make_shared<PlainFactory>();
  t.config->transport = transport;
  t.config->http.protocol = cluster::UpstreamProtocol::kAuto;
  Pool& pool = t.make();
  H2Host host(t.loop, t.upstream, 0);
  Asker first(pool), second(pool), page(pool);
  first.askUpgrade();
  t.loop.turn();
  host.send(http::h2::settings());
  t.loop.turn();
  REQUIRE(t.upstream.accept() == 2);
  CHECK(contains(t.upstream.peer(1).take(), "GET / HTTP/1.1\r\n"));
  t.upstream.peer(1).send("HTTP/1.1 101 ok\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello");
  t.loop.turn();
  CHECK(first.heard == "101 ");
  CHECK(first.body == "hello");
  // The next one does not ask over HTTP/2 again; pages go on there.
  second.askUpgrade();
  t.loop.turn();
  REQUIRE(t.upstream.accept() == 3);
  CHECK(contains(t.upstream.peer(2).take(), "upgrade: websocket\r\n"));
  page.ask();
  CHECK(contains(host.seen(), "HEADERS 1 ES :method=GET"));
  first.exchange.abandon();
  second.exchange.abandon();
  page.exchange.abandon();
  pool.drain();
  t.loop.turn();
  CHECK(pool.unused());
}

TEST_CASE("an upgrade waits for SETTINGS no longer than a connection may take") {
  H2PoolTest t;
  t.config->connect_timeout = 5s;
  Pool& pool = t.make();
  Asker upgrade(pool), plain(pool);
  auto given_up = std::make_unique<Asker>(pool);
  upgrade.askUpgrade();
  given_up->askUpgrade();
  plain.ask();
  t.loop.turn();
  given_up.reset();

  t.loop.advance(6s);

  CHECK(upgrade.heard == "failure1 ");
  CHECK(contains(upgrade.why, "SETTINGS"));
  H2Host host = t.host();
  host.send(h2::settings() + host.ok(1));
  CHECK(plain.heard == "200 end ");
}

TEST_CASE("a tunnel of HTTP/2 goes on when the host has ended its side") {
  H2PoolTest t;
  Pool& pool = t.make();
  Asker tunnel(pool);
  tunnel.askUpgrade();
  t.loop.turn();
  H2Host host = t.host();
  host.send(h2::settings(h2::setting(8, 1)));
  host.seen();

  host.send(host.head(1, {{":status", "200"}}) + h2::data(1, "bye", true));
  CHECK(tunnel.heard == "101 end ");
  CHECK(tunnel.exchange.open());
  tunnel.exchange.sendData("the last", false);
  tunnel.exchange.sendData(" word", true);

  CHECK(host.seen() == "DATA 1 the last\nDATA 1 ES  word\n");
  CHECK_FALSE(tunnel.exchange.open());
  CHECK(pool.connections() == 1);
}

TEST_CASE("a host that ends its side of a tunnel may still reset it") {
  H2PoolTest t;
  Pool& pool = t.make();
  Asker tunnel(pool);
  tunnel.askUpgrade();
  t.loop.turn();
  H2Host host = t.host();
  host.send(h2::settings(h2::setting(8, 1)));

  host.send(host.head(1, {{":status", "200"}}) + h2::data(1, "bye", true) + h2::rst(1, 8));

  CHECK(tunnel.heard == "101 end reset ");
  CHECK_FALSE(tunnel.exchange.open());
}

TEST_CASE("a tunnel of HTTP/1 goes on when the host has ended its side, and its last bytes go out") {
  PoolTest t;
  Pool& pool = t.make();
  Asker tunnel(pool);
  tunnel.askUpgrade();
  t.loop.turn();
  t.answer(0, "HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nbye");
  t.upstream.peer(0).finish();
  t.loop.turn();
  CHECK(tunnel.heard == "101 end ");
  REQUIRE(tunnel.exchange.open());

  const std::string much(4 << 20, 'x');
  tunnel.exchange.sendData(much, true);
  CHECK_FALSE(tunnel.exchange.open());
  std::string got;
  for (int i = 0; i < 1000 && !t.upstream.peer(0).closed; ++i) {
    got += t.upstream.peer(0).take(1 << 20);
    t.loop.turn();
  }

  CHECK(got.size() == much.size());
  CHECK(t.upstream.peer(0).closed);
  CHECK(pool.connections() == 0);
}

TEST_CASE("the end of a tunnel waits for a host that takes nothing only so long") {
  PoolTest t;
  Pool& pool = t.make();
  Asker tunnel(pool);
  tunnel.askUpgrade();
  t.loop.turn();
  t.answer(0, "HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
  tunnel.exchange.sendData(std::string(16 << 20, 'x'), true);
  t.upstream.peer(0).finish();
  t.loop.turn();
  CHECK(tunnel.heard == "101 end ");
  CHECK(pool.connections() == 1);

  t.loop.advance(11s);

  CHECK(pool.connections() == 0);
}

TEST_CASE("a pool of HTTP/2 that drains says so and lets the streams finish") {
  H2PoolTest t;
  Pool& pool = t.make();
  Asker one(pool);
  one.ask();
  t.loop.turn();
  H2Host host = t.host();
  host.send(h2::settings());
  pool.drain();
  CHECK(contains(host.seen(), "GOAWAY"));
  host.send(host.ok(1));
  CHECK(one.heard == "200 end ");
  CHECK(pool.empty());
}

}  // namespace
}  // namespace sluice::upstream::pool
