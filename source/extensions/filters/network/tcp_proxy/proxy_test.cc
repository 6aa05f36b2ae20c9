// Proxied connections between a client over a socket pair and hosts under the test's control, in virtual time.
#include "source/extensions/filters/network/tcp_proxy/proxy.h"

#include <catch2/catch.hpp>

#include "source/upstream/pool/test_transport.h"
#include "source/upstream/pool/test_upstream.h"
#include "source/upstream/test_cluster.h"
#include "test/support/filter/accepted.h"
#include "test/support/filter/network_interleaving.h"
#include "test/support/upstream/policies.h"

using namespace std::chrono_literals;

namespace sluice::extensions::network_filters::tcp_proxy {
namespace {

using upstream::cluster::Health;
using upstream::cluster::Resource;
using upstream::pool::SilentHost;
using upstream::pool::TestPeer;
using upstream::pool::TestUpstream;

// Keeps what a log line would say.
struct Logged {
  std::string details, failure, cluster, host;
  uint64_t received = 0, sent = 0;
  stream::ResponseFlags flags;
  bool panic;
  stream::DownstreamFacts::Close close;
  std::string local_close;
  stream::DownstreamFacts::Close host_close;
  std::string local_host_close;
};
class TestLog : public stream::AccessLog {
 public:
  void log(const stream::FormatContext& context, worker::WorkerServices&) const override {
    const stream::StreamInfo& info = context.info;
    lines.push_back({std::string(info.connection_termination_details),
                     std::string(info.upstream_transport_failure_reason), std::string(info.upstream_cluster),
                     std::string(info.upstream_host), info.bytes_received, info.bytes_sent, info.response_flags,
                     info.dynamic_metadata && info.dynamic_metadata->find("sluice.router") != nullptr,
                     info.downstream->close, std::string(info.downstream->local_close_reason),
                     info.downstream->upstream_close, std::string(info.downstream->upstream_local_close_reason)});
  }
  mutable std::vector<Logged> lines;
};

class NameCluster : public filter::NetworkFilterFactory {
 public:
  explicit NameCluster(std::string name) : name_(std::move(name)) {}
  filter::NetworkResult admit(filter::NetworkStream& stream) const override {
    stream.facts().cluster = name_;
    return filter::Next{};
  }

 private:
  std::string name_;
};

struct ProxyTest : upstream::TestCluster {
  ProxyTest() : ProxyTest(nullptr) {}
  // `calls`: of filters in front; null: they have none.
  explicit ProxyTest(filter::Calls* calls) : services(setup(calls == nullptr ? no_calls : *calls)) {
    services.add(clusters);
    settings->targets = {{0, 1}};
    settings->access_logs.push_back(log);
    settings->stats.cx_no_route = registry.counter("no_route");
    settings->stats.rx_bytes_total = registry.counter("rx");
    settings->stats.tx_bytes_total = registry.counter("tx");
    stats.cx_active = registry.gauge("cx_active");
    stats.cx_total = registry.counter("cx_total");
    stats.cx_connect_fail = registry.counter("connect_fail");
    stats.cx_connect_timeout = registry.counter("connect_timeout");
    config->lb.policy = std::make_shared<upstream::lb::InTurn>();
    hosts({host.address});
  }
  ~ProxyTest() {
    while (!list.empty()) list.front().closeNow("test_end");
    loop.turn();
    CHECK(used(Resource::kConnections) == 0);
    CHECK(stat("cx_active") == 0);
  }
  TestPeer& connect() {
    net::SocketPair pair = net::unixPair();
    filter::Accepted accepted = filter::testing::acceptedOf(std::move(pair.ours));
    accepted.buffer_limit = buffer_limit;
    accepted.state = left;
    if (!filters.empty()) accepted.filters = std::make_shared<const filter::NetworkFilters>(filters);
    Proxy::start(services, settings, std::move(accepted), list);
    clients.push_back(std::make_unique<TestPeer>(std::move(pair.peers)));
    loop.turn();
    return *clients.back();
  }
  TestPeer& peer(size_t index = 0) {
    loop.turn();
    return host.peer(index);
  }

  uint32_t buffer_limit = 1024 * 1024;
  worker::WorkerServices services;
  std::shared_ptr<TestLog> log = std::make_shared<TestLog>();
  std::shared_ptr<Settings> settings = std::make_shared<Settings>();
  filter::NetworkFilters filters;
  stream::ConnectionStatePtr left;  // by whoever was there before
  base::List<filter::LiveConnection> list;
  TestUpstream host;
  std::vector<std::unique_ptr<TestPeer>> clients;
};

TEST_CASE("bytes go both ways and are counted") {
  ProxyTest t;
  TestPeer& client = t.connect();
  client.send("ping");
  t.loop.turn();
  CHECK(t.peer().take() == "ping");
  t.peer().send("pong!");
  t.loop.turn();

  CHECK(client.take() == "pong!");
  CHECK(t.stat("rx") == 4);
  CHECK(t.stat("tx") == 5);
  CHECK(t.stat("cx_active") == 1);
}

TEST_CASE("the idle timeout counts while the host is not there yet") {
  ProxyTest t;
  SilentHost silent;
  t.hosts({silent.address});
  t.config->connect_timeout = 1h;
  t.settings->idle_timeout = 10s;
  TestPeer& client = t.connect();
  t.loop.pass(9s);
  CHECK_FALSE(t.list.empty());

  t.loop.pass(2s);

  CHECK(t.list.empty());
  client.take();
  CHECK(client.closed);
}

TEST_CASE("each direction ends by itself and the connection is over when both have") {
  ProxyTest t;
  TestPeer& client = t.connect();
  client.send("question");
  client.finish();
  t.loop.turn();
  CHECK(t.peer().take() == "question");
  CHECK(t.peer().closed);

  t.peer().send("answer");
  t.loop.turn();
  CHECK(client.take() == "answer");
  CHECK(!client.closed);
  t.peer().finish();
  t.loop.turn();

  client.take();
  CHECK(client.closed);
  CHECK(t.list.empty());
  REQUIRE(t.log->lines.size() == 1);
  CHECK(t.log->lines[0].received == 8);
  CHECK(t.log->lines[0].sent == 6);
  CHECK(t.log->lines[0].cluster == "c");
  CHECK(!t.log->lines[0].flags.any());
  CHECK(t.log->lines[0].close == stream::DownstreamFacts::Close::kNormal);
  CHECK(t.log->lines[0].local_close == "");
  CHECK(t.log->lines[0].host_close == stream::DownstreamFacts::Close::kNormal);
  CHECK(t.log->lines[0].local_host_close == "");
}

TEST_CASE("a client that ends before the host is connected is heard out") {
  ProxyTest t;
  net::SocketPair pair = net::unixPair();
  TestPeer client(std::move(pair.peers));
  client.send("all at once");
  client.finish();
  filter::Accepted accepted;
  accepted.fd = std::move(pair.ours);
  Proxy::start(t.services, t.settings, std::move(accepted), t.list);
  t.loop.turn();

  CHECK(t.peer().take() == "all at once");
  CHECK(t.peer().closed);
}

TEST_CASE("a host that does not read holds back its client, and nothing is lost") {
  ProxyTest t;
  TestPeer& client = t.connect();
  const std::string piece(64 * 1024, 'x');
  size_t before = SIZE_MAX;
  while (client.sent != before) {  // until nobody takes more
    before = client.sent;
    client.send(piece);
    t.loop.turn();
  }
  const size_t total = client.sent;
  client.finish();

  std::string got;
  REQUIRE(t.loop.until([&] {
    got += t.peer().take();
    return t.peer().closed;
  }));

  CHECK(got.size() == total);
}

TEST_CASE("a client that does not read holds back its host, and nothing is lost") {
  ProxyTest t;
  TestPeer& client = t.connect();
  const std::string piece(64 * 1024, 'x');
  size_t before = SIZE_MAX;
  while (t.peer().sent != before) {
    before = t.peer().sent;
    t.peer().send(piece);
    t.loop.turn();
  }
  const size_t total = t.peer().sent;
  t.peer().finish();

  std::string got;
  REQUIRE(t.loop.until([&] {
    got += client.take();
    return client.closed;
  }));

  CHECK(got.size() == total);
}

TEST_CASE("the listener's buffer limit holds for bytes that wait in either direction") {
  const auto held = [](uint32_t limit) {
    ProxyTest t;
    t.buffer_limit = limit;
    TestPeer& client = t.connect();
    const std::string piece(64 * 1024, 'x');
    for (size_t before = SIZE_MAX; before != client.sent;) {
      before = client.sent;
      client.send(piece);
      t.loop.turn();
    }
    for (size_t before = SIZE_MAX; before != t.peer().sent;) {
      before = t.peer().sent;
      t.peer().send(piece);
      t.loop.turn();
    }
    return std::pair(client.sent, t.peer().sent);
  };
  const auto little = held(4096), much = held(1024 * 1024);

  CHECK(much.first - little.first > Proxy::kMaxBuffered / 2);
  CHECK(much.second - little.second > Proxy::kMaxBuffered / 2);
}

TEST_CASE("a host that is gone has its last bytes delivered before the client is closed") {
  ProxyTest t;
  TestPeer& client = t.connect();
  client.send("request");
  t.loop.turn();
  t.peer().send("partial");
  t.peer().close();  // with unread bytes: a reset
  t.loop.turn();

  CHECK(client.take() == "partial");
  CHECK(client.closed);
  CHECK(t.list.empty());
  CHECK(t.log->lines.at(0).close == stream::DownstreamFacts::Close::kLocalReset);
  CHECK(t.log->lines.at(0).local_close == "upstream_reset");
  CHECK(t.log->lines.at(0).host_close == stream::DownstreamFacts::Close::kRemoteReset);
  CHECK(t.log->lines.at(0).local_host_close == "");
}

TEST_CASE("a client that is gone takes its host's connection with it") {
  ProxyTest t;
  TestPeer& client = t.connect();
  t.peer().send("unread");
  t.loop.turn();

  client.close();
  t.loop.turn();

  REQUIRE(t.loop.until([&] { return t.list.empty(); }));
  t.peer().take();
  CHECK(t.peer().closed);
  CHECK(t.log->lines.at(0).host_close == stream::DownstreamFacts::Close::kLocalReset);
  CHECK(t.log->lines.at(0).local_host_close == "closing_upstream_tcp_connection_due_to_downstream_reset_close");
}

TEST_CASE("a missing cluster closes the connection") {
  ProxyTest t;
  t.clusters.remove(0);
  TestPeer& client = t.connect();

  client.take();
  CHECK(client.closed);
  CHECK(t.stat("no_route") == 1);
  CHECK(t.log->lines.at(0).flags.has(stream::ResponseFlag::kNoClusterFound));
  CHECK(t.log->lines.at(0).host_close == stream::DownstreamFacts::Close::kNone);
}

TEST_CASE("a cluster without hosts closes the connection") {
  ProxyTest t;
  t.hosts({});
  TestPeer& client = t.connect();

  client.take();
  CHECK(client.closed);
  CHECK(t.log->lines.at(0).flags.has(stream::ResponseFlag::kNoHealthyUpstream));
}

TEST_CASE("the log tells of panic") {
  ProxyTest t;
  t.config->lb.hosts.fail_on_panic = true;
  t.hosts({t.host.address}, Health::kUnhealthy);
  TestPeer& client = t.connect();

  client.take();
  CHECK(client.closed);
  CHECK(t.log->lines.at(0).panic);
}

TEST_CASE("a refused attempt is made again with another host up to the limit") {
  ProxyTest t;
  TestUpstream gone;
  gone.stop();
  t.hosts({gone.address, t.host.address});
  t.settings->max_connect_attempts = 2;
  for (int i = 0; i < 4; ++i) {
    TestPeer& client = t.connect();
    client.take();
    CHECK(!client.closed);
  }

  t.host.stop();
  TestPeer& client = t.connect();

  client.take();
  CHECK(client.closed);
  const Logged& line = t.log->lines.at(0);
  CHECK(line.flags.has(stream::ResponseFlag::kUpstreamConnectionFailure));
  CHECK(line.flags.has(stream::ResponseFlag::kUpstreamRetryLimitExceeded));
  CHECK(line.failure != "");
  CHECK(line.details == "upstream_connection_failure");
}

TEST_CASE("an attempt that takes too long is given up") {
  ProxyTest t;
  SilentHost silent;
  t.hosts({silent.address});
  TestPeer& client = t.connect();
  t.loop.pass(4999ms);
  client.take();
  CHECK(!client.closed);

  t.loop.pass(1ms);

  client.take();
  CHECK(client.closed);
  CHECK(t.stat("connect_timeout") == 1);
  CHECK(t.log->lines.at(0).failure == "connection timeout");
}

TEST_CASE("connections beyond the cluster's limit are closed") {
  ProxyTest t;
  upstream::cluster::ThresholdsByPriority limits;
  limits[0].max_connections = 1;
  t.breakers->setLimits(limits);
  t.connect();
  TestPeer& second = t.connect();

  second.take();
  CHECK(second.closed);
  CHECK(t.log->lines.at(0).flags.has(stream::ResponseFlag::kUpstreamOverflow));
}

TEST_CASE("silence in both directions ends the connection, a byte in either keeps it") {
  ProxyTest t;
  t.settings->idle_timeout = 1000ms;
  TestPeer& client = t.connect();
  t.peer();
  for (int i = 0; i < 3; ++i) {
    t.loop.pass(900ms);
    (i % 2 == 0 ? client : t.peer()).send("x");
    t.loop.turn();
  }
  t.loop.pass(999ms);
  client.take();
  CHECK(!client.closed);

  t.loop.pass(1ms);

  client.take();
  CHECK(client.closed);
  CHECK(t.log->lines.at(0).details == "tcp_session_idle_timeout");
  CHECK(t.log->lines.at(0).local_close == "tcp_session_idle_timeout");
  CHECK(t.log->lines.at(0).host_close == stream::DownstreamFacts::Close::kNormal);
  CHECK(t.log->lines.at(0).local_host_close == "closing_upstream_tcp_connection_due_to_downstream_local_close");
}

TEST_CASE("the longest duration ends a busy connection") {
  ProxyTest t;
  t.settings->max_duration = 1000ms;
  TestPeer& client = t.connect();
  t.loop.pass(600ms);
  client.send("x");
  t.loop.pass(400ms);

  client.take();
  CHECK(client.closed);
  CHECK(t.log->lines.at(0).flags.has(stream::ResponseFlag::kDurationTimeout));
}

TEST_CASE("a filter in front names the cluster") {
  ProxyTest t;
  t.clusters.remove(0);
  t.hosts({t.host.address}, Health::kHealthy, 3);
  t.filters.push_back(std::make_shared<NameCluster>("c"));
  TestPeer& client = t.connect();
  client.send("hello");
  t.loop.turn();

  CHECK(t.peer().take() == "hello");
}

TEST_CASE("what was left for a connection names its cluster, unless a filter does") {
  ProxyTest t;
  t.clusters.remove(0);
  t.hosts({t.host.address}, Health::kHealthy, 3);
  stream::madeIn(t.left).filter_state.set("envoy.tcp_proxy.cluster", "c");
  TestPeer& client = t.connect();
  client.send("hello");
  t.loop.turn();
  CHECK(t.peer().take() == "hello");

  t.filters.push_back(std::make_shared<NameCluster>("nowhere"));
  TestPeer& other = t.connect();

  other.take();
  CHECK(other.closed);
}

TEST_CASE("what was left for a connection sets its idle timeout, and its server name") {
  ProxyTest t;
  auto transport = std::make_shared<upstream::pool::PlainFactory>();
  t.config->transport = transport;
  t.hosts({t.host.address});
  t.settings->idle_timeout = 10'000ms;
  stream::FilterState& state = stream::madeIn(t.left).filter_state;
  state.set("envoy.tcp_proxy.per_connection_idle_timeout_ms", "500");
  state.set("envoy.network.upstream_server_name", "db.example");
  TestPeer& client = t.connect();
  t.peer();

  t.loop.pass(500ms);

  client.take();
  CHECK(client.closed);
  CHECK(t.log->lines.at(0).details == "tcp_session_idle_timeout");
  CHECK(transport->server_names == std::vector<std::string>{"db.example"});
}

TEST_CASE("weights decide how often a cluster is chosen") {
  ProxyTest t;
  TestUpstream other;
  t.hosts({other.address}, Health::kHealthy, 1);
  t.settings->targets = {{0, 3}, {1, 4}};
  for (int i = 0; i < 400; ++i) t.connect();
  t.loop.turn();

  const size_t first = t.host.accept(), second = other.accept();
  CHECK(first + second == 400);
  CHECK(first > 260);
  CHECK(second > 60);
}

TEST_CASE("a connection outlives its cluster and ends when it is cut") {
  ProxyTest t;
  TestPeer& client = t.connect();
  t.peer();
  t.clusters.remove(0);
  client.send("still");
  t.loop.turn();
  CHECK(t.peer().take() == "still");
  t.list.front().drain();
  CHECK(!t.list.empty());

  CHECK(t.list.front().closeNow("drain_timeout"));
  t.loop.turn();

  client.take();
  CHECK(client.closed);
  CHECK(t.log->lines.at(0).details == "drain_timeout");
}

TunnelSettings tunnelTo(std::string_view hostname) {
  TunnelSettings out;
  out.hostname = std::make_shared<const stream::TextFormatter>(
      *stream::TextFormatter::compile(hostname, {.omit_empty_values = true, .escape = stream::Escape::kNone}));
  return out;
}

TEST_CASE("a tunnel is asked for and takes no bytes before it is accepted") {
  ProxyTest t;
  t.settings->tunnel = tunnelTo("a.example:443");
  TestPeer& client = t.connect();
  client.send("question");
  CHECK(t.peer().take() == "CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\n\r\n");
  CHECK(client.take() == "");

  t.peer().send("HTTP/1.1 200 OK\r\n\r\nwelcome");
  t.loop.turn();

  CHECK(t.peer().take() == "question");
  CHECK(client.take() == "welcome");
  client.finish();
  t.loop.turn();
  CHECK(t.peer().take() == "");
  CHECK(t.peer().closed);
  t.peer().send("bye");
  t.peer().finish();
  t.loop.turn();
  CHECK(client.take() == "bye");
  CHECK(client.closed);
  CHECK(t.list.empty());
}

TEST_CASE("a tunnel's connection tells the host who its client is") {
  ProxyTest t;
  auto transport = std::make_shared<upstream::pool::ClientTellingFactory>();
  t.config->transport = transport;
  t.hosts({t.host.address});
  t.settings->tunnel = tunnelTo("a.example:443");
  t.connect();
  CHECK(t.peer().take().starts_with("CONNECT "));
  CHECK(transport->clients == std::vector<std::string>{"10.1.2.3:4567>10.0.0.1:80"});
}

TEST_CASE("what was left for a connection takes its tunnel away") {
  ProxyTest t;
  t.settings->tunnel = tunnelTo("a.example:443");
  stream::madeIn(t.left).filter_state.set("envoy.tcp_proxy.disable_tunneling", "true");
  TestPeer& client = t.connect();
  client.send("hello");
  t.loop.turn();

  CHECK(t.peer().take() == "hello");
}

TEST_CASE("a tunnel that is refused is asked for elsewhere up to the limit") {
  ProxyTest t;
  t.settings->tunnel = tunnelTo("a.example:443");
  t.settings->max_connect_attempts = 2;
  TestPeer& client = t.connect();
  for (size_t attempt = 0; attempt < 2; ++attempt) {
    CHECK(t.peer(attempt).take().starts_with("CONNECT "));
    t.peer(attempt).send("HTTP/1.1 403 no\r\ncontent-length: 6\r\n\r\nsecret");
    t.loop.turn();
  }

  CHECK(client.take() == "");
  CHECK(client.closed);
  REQUIRE(t.log->lines.size() == 1);
  CHECK(t.log->lines[0].failure == "the tunnel was answered 403");
  CHECK(t.used(Resource::kRequests) == 0);
}

TEST_CASE("a tunnel that is not answered in time is given up") {
  ProxyTest t;
  t.settings->tunnel = tunnelTo("a.example:443");
  TestPeer& client = t.connect();
  CHECK(t.peer().take().starts_with("CONNECT "));

  t.loop.pass(t.config->connect_timeout + 1000ms);

  client.take();
  CHECK(client.closed);
  CHECK(t.log->lines.at(0).failure == "the tunnel was not answered in time");
}

TEST_CASE("a tunnel goes nowhere where its hostname is none") {
  ProxyTest t;
  t.settings->tunnel = tunnelTo("%REQUESTED_SERVER_NAME%");
  TestPeer& client = t.connect();

  client.take();
  CHECK(client.closed);
  CHECK(t.host.accept() == 0);
  CHECK(t.log->lines.at(0).failure.find("is no host") != std::string::npos);
}

TEST_CASE("lines are logged at the start, on connection and at intervals where that is asked for") {
  ProxyTest t;
  t.settings->log_on_start = t.settings->log_on_connected = true;
  t.settings->log_interval = 1000ms;
  t.connect();
  CHECK(t.log->lines.size() == 2);
  CHECK(t.log->lines.at(0).host == "");
  CHECK(t.log->lines.at(1).host != "");
  t.loop.pass(2000ms);

  CHECK(t.log->lines.size() == 4);
}

// A proxy to a host that sends back what comes.
class ProxyBed : public filter::testing::NetworkBed {
 public:
  explicit ProxyBed(filter::Calls& calls) : proxy_(&calls) {}
  event::PolledLoop& loop() override { return proxy_.loop; }
  void serve(filter::Accepted accepted) override {
    Proxy::start(proxy_.services, proxy_.settings, std::move(accepted), proxy_.list);
  }
  base::List<filter::LiveConnection>& connections() override { return proxy_.list; }
  void settle() override {
    proxy_.host.accept();
    for (const auto& peer : proxy_.host.peers) {
      peer->send(peer->take());
      if (peer->closed) peer->finish();
    }
  }

 private:
  ProxyTest proxy_;
};

TEST_CASE("filters in front may wait and change bytes, and both directions keep their ends") {
  CHECK(filter::testing::runNetworkFilters([](filter::Calls& calls) { return std::make_unique<ProxyBed>(calls); },
                                           "hello", "hello") == "");
}

}  // namespace
}  // namespace sluice::extensions::network_filters::tcp_proxy
