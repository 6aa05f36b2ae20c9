#include "source/upstream/pool/pool.h"

#include <catch2/catch.hpp>
#include <deque>

#include "source/event/polled_loop.h"
#include "source/upstream/pool/test_h2_host.h"
#include "source/upstream/pool/test_upstream.h"

using namespace std::chrono_literals;

namespace sluice::upstream::pool {
namespace {

using cluster::Resource;
constexpr auto kPriority = cluster::RoutingPriority::kDefault;
const std::string kOk = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

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
    heard += reason == http::ResetReason::kRefused ? "refused " : "reset ";
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

struct PoolTest {
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
  int64_t stat(std::string_view name) const { return registry.valueOf(name).value_or(-1); }
  // The host answers what came in on its connection.
  void answer(size_t peer, std::string_view bytes = kOk) {
    upstream.peer(peer).take();
    upstream.peer(peer).send(bytes);
    loop.turn();
  }

  event::PolledLoop loop;
  net::WorkerBuffers buffers;
  observability::StatsRegistry registry;
  observability::StatsCells& cells = registry.makeCells();
  observability::Gauge cx_active_;
  std::shared_ptr<cluster::ClusterConfig> config = std::make_shared<cluster::ClusterConfig>();
  cluster::ThresholdsByPriority thresholds;
  std::shared_ptr<cluster::Breakers> breakers = std::make_shared<cluster::Breakers>(thresholds);
  PoolContext context{loop, buffers, cells, config, breakers, {}};
  TestUpstream upstream;
  std::unique_ptr<Pool> pool, other;
};

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

// --- HTTP/2 ---

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
  CHECK(two.heard == "refused ");
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
