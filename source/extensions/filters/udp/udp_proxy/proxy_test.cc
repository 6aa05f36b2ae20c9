// Sessions between clients and hosts over loopback, in virtual time.
#include "source/extensions/filters/udp/udp_proxy/proxy.h"

#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <optional>

#include "source/base/xx_hash.h"
#include "source/upstream/test_cluster.h"
#include "test/support/upstream/policies.h"

using namespace std::chrono_literals;

namespace sluice::extensions::udp_filters::udp_proxy {
namespace {

using upstream::cluster::Health;
using upstream::cluster::Resource;

struct Logged {
  std::string details, cluster, host;
  uint64_t received = 0, sent = 0;
  double datagrams = 0;
};
class TestLog : public stream::AccessLog {
 public:
  void log(const stream::FormatContext& context, worker::WorkerServices&) const override {
    const stream::StreamInfo& info = context.info;
    const stream::MetadataValue* datagrams = info.dynamic_metadata->find("udp.proxy.session", {"datagrams_received"});
    lines.push_back({std::string(info.connection_termination_details), std::string(info.upstream_cluster),
                     std::string(info.upstream_host), info.bytes_received, info.bytes_sent,
                     datagrams == nullptr ? -1 : std::get<double>(datagrams->value)});
  }
  mutable std::vector<Logged> lines;
};

// A UDP socket that never blocks.
class Peer {
 public:
  Peer() : fd_(*net::listenOn(*net::Address::fromIp("127.0.0.1", 0), {.datagram = true})) {
    address = net::localAddress(fd_.get());
  }
  void send(std::string_view bytes, const net::Address& to) {
    sendto(fd_.get(), bytes.data(), bytes.size(), 0, to.sockaddrPointer(), to.sockaddrLength());
  }
  // The next one, and who sent it.
  std::optional<std::string> take() {
    char buffer[65536];
    sockaddr_storage storage;
    socklen_t length = sizeof(storage);
    auto* from = reinterpret_cast<sockaddr*>(&storage);
    const ssize_t size = recvfrom(fd_.get(), buffer, sizeof(buffer), MSG_DONTWAIT, from, &length);
    if (size < 0) return std::nullopt;
    last_from = net::Address::fromSockaddr(from, length);
    return std::string(buffer, size);
  }
  std::vector<std::string> takeAll() {
    std::vector<std::string> out;
    while (auto one = take()) out.push_back(*std::move(one));
    return out;
  }
  void stop() { fd_ = net::Fd(); }
  void restart() { fd_ = *net::listenOn(address, {.datagram = true}); }

  net::Address address, last_from;

 private:
  net::Fd fd_;
};

// Every session goes to this cluster.
std::shared_ptr<const match::Matcher> always(upstream::ClusterId id) {
  auto out = std::make_shared<match::Matcher>();
  out->on_no_match.emplace().action = id;
  return out;
}

// Clients of this port go to the cluster 0, others nowhere.
std::shared_ptr<const match::Matcher> onlyPort(uint16_t port) {
  struct SourcePort : match::Input {
    uint8_t needs() const override { return match::kAddresses; }
    match::Value get(const match::Data& data, match::Scratch& scratch) const override {
      scratch = std::to_string(data.remote->port());
      return {.text = scratch};
    }
  };
  auto out = std::make_shared<match::Matcher>();
  match::OnMatch to_first;
  out->how = match::ExactMap{std::make_shared<SourcePort>(), {{std::to_string(port), to_first}}};
  return out;
}

struct ProxyTest : upstream::TestCluster {
  ProxyTest() {
    services.add(clusters);
    services.add(datagrams);
    settings->access_logs.push_back(log);
    settings->stats = {registry.counter("total"),    registry.counter("no_route"), registry.counter("overflow"),
                       registry.counter("rx_bytes"), registry.counter("rx"),       registry.counter("rx_dropped"),
                       registry.counter("rx_err"),   registry.counter("tx_bytes"), registry.counter("tx"),
                       registry.counter("tx_err"),   registry.counter("idle"),     registry.gauge("active")};
    stats.udp_rx_datagrams = registry.counter("c.rx");
    stats.udp_rx_dropped = registry.counter("c.rx_dropped");
    stats.udp_rx_errors = registry.counter("c.rx_err");
    stats.udp_tx_datagrams = registry.counter("c.tx");
    stats.udp_tx_errors = registry.counter("c.tx_err");
    stats.cx_overflow = registry.counter("c.overflow");
    stats.cx_none_healthy = registry.counter("c.none_healthy");
    stats.cx_connect_fail = registry.counter("c.connect_fail");
    config->lb.hosts.panic_threshold = 0;
    config->lb.policy = std::make_shared<upstream::lb::InTurn>();
    settings->matcher = always(0);
    hosts({host.address});
    start();
  }
  ~ProxyTest() {
    proxy.reset();
    loop.turn();
    CHECK(used(Resource::kConnections) == 0);
    CHECK(stat("active") == 0);
    CHECK(datagrams.sessions.used == 0);
  }
  void start() { proxy = Filter(settings).serve(services); }
  void hosts(const std::vector<net::Address>& addresses, Health health = Health::kHealthy) {
    TestCluster::hosts(addresses, health);
    loop.turn();
  }
  // What the listener does when something has come.
  void serve() {
    while (batch.receive(port->fd(), {.max_size = 65535, .bound = &port->address()}) == 0) {
      proxy->onDatagrams(*port, batch.datagrams());
    }
    loop.turn();
  }
  void send(Peer& client, std::string_view bytes) {
    client.send(bytes, port->address());
    serve();
  }
  // From the host, to whom it heard of last.
  void answer(std::string_view bytes) {
    host.send(bytes, host.last_from);
    loop.turn();
  }
  uint32_t connections() const { return used(Resource::kConnections); }

  worker::WorkerServices services{setup(no_calls)};
  filter::DatagramWorker datagrams;
  std::shared_ptr<TestLog> log = std::make_shared<TestLog>();
  std::shared_ptr<Settings> settings = std::make_shared<Settings>();
  net::Fd socket = *net::listenOn(*net::Address::fromIp("127.0.0.1", 0), {.datagram = true});
  const net::Address bound = net::localAddress(socket.get());
  base::LocalPtr<filter::UdpPort> port = base::makeLocal<filter::UdpPort>(bound, std::move(socket));
  net::DatagramBatch batch;
  Peer client, host, other_host;
  std::unique_ptr<filter::UdpService> proxy;
};

using Texts = std::vector<std::string>;

TEST_CASE("datagrams go both ways, each client by a socket of its own") {
  ProxyTest t;
  Peer second;
  t.send(t.client, "one");
  t.send(second, "two");
  CHECK(t.host.take() == "one");
  const net::Address first_session = t.host.last_from;
  CHECK(t.host.take() == "two");
  CHECK_FALSE(t.host.last_from == first_session);

  t.host.send("to the first", first_session);
  t.loop.turn();

  CHECK(t.client.takeAll() == Texts{"to the first"});
  CHECK(t.client.last_from == t.port->address());
  CHECK(second.takeAll().empty());
  CHECK(t.proxy->sessions() == 2);
  CHECK(t.stat("active") == 2);
  CHECK(t.stat("rx") == 2);
  CHECK(t.stat("rx_bytes") == 6);
  CHECK(t.stat("tx") == 1);
  CHECK(t.stat("tx_bytes") == 12);
  CHECK(t.stat("c.tx") == 2);
  CHECK(t.stat("c.rx") == 1);
}

TEST_CASE("a matcher chooses the cluster for each client, and what it says nothing of is dropped and counted") {
  ProxyTest t;
  auto settings = std::make_shared<Settings>(*t.settings);
  settings->matcher = onlyPort(t.client.address.port());
  t.settings = settings;
  t.start();
  Peer second;

  t.send(t.client, "one");
  t.send(second, "two");

  CHECK(t.host.takeAll() == Texts{"one"});
  CHECK(t.stat("no_route") == 1);
  CHECK(t.proxy->sessions() == 1);
}

TEST_CASE("datagrams of several clients that come mixed keep their order and their sessions") {
  ProxyTest t;
  Peer second;
  for (int i = 0; i < 50; ++i) {
    t.client.send("a" + std::to_string(i), t.port->address());
    if (i % 3 == 0) second.send("b" + std::to_string(i), t.port->address());
  }
  t.serve();

  std::map<std::string, Texts> by_session;
  while (auto text = t.host.take()) by_session[t.host.last_from.toString()].push_back(*text);
  REQUIRE(by_session.size() == 2);
  for (const auto& [session, texts] : by_session) {
    CHECK(texts.size() == (texts[0][0] == 'a' ? 50 : 17));
    for (size_t i = 0; i < texts.size(); ++i) {
      const size_t number = texts[0][0] == 'a' ? i : 3 * i;
      CHECK(texts[i] == texts[0].substr(0, 1) + std::to_string(number));
    }
  }
}

TEST_CASE("empty datagrams are datagrams") {
  ProxyTest t;
  t.send(t.client, "");
  CHECK(t.host.take() == "");
  t.host.send("", t.host.last_from);
  t.loop.turn();
  CHECK(t.client.take() == "");
}

TEST_CASE("many answers at once all reach the client") {
  ProxyTest t;
  t.send(t.client, "go");
  t.host.take();
  for (int i = 0; i < 100; ++i) t.host.send(std::to_string(i), t.host.last_from);
  t.loop.turn();

  const Texts got = t.client.takeAll();
  REQUIRE(got.size() == 100);
  CHECK(got.front() == "0");
  CHECK(got.back() == "99");
}

TEST_CASE("an answer that is too large is dropped and counted") {
  ProxyTest t;
  for (const bool gro : {false, true}) {
    t.settings->prefer_gro = gro;
    Peer client;
    t.send(client, "go");
    t.host.take();
    t.host.send(std::string(1501, 'x'), t.host.last_from);
    t.host.send(std::string(1500, 'y'), t.host.last_from);
    t.loop.turn();
    CHECK(client.takeAll() == Texts{std::string(1500, 'y')});
  }
  CHECK(t.stat("c.rx_dropped") == 2);
}

TEST_CASE("strangers cannot answer for the host") {
  ProxyTest t;
  t.send(t.client, "go");
  t.host.take();
  t.other_host.send("spoofed", t.host.last_from);
  t.loop.turn();
  CHECK(t.client.takeAll().empty());
}

TEST_CASE("a session ends when nothing came from either side for its idle timeout") {
  ProxyTest t;
  t.settings->idle_timeout = 10s;
  t.send(t.client, "question");
  t.host.take();
  t.loop.pass(9s);
  t.host.send("answer", t.host.last_from);
  t.loop.turn();
  t.loop.pass(9s);
  CHECK(t.proxy->sessions() == 1);
  t.loop.pass(1s);

  CHECK(t.proxy->sessions() == 0);
  CHECK(t.stat("idle") == 1);
  REQUIRE(t.log->lines.size() == 1);
  CHECK(t.log->lines[0].details == "udp_session_idle_timeout");
  CHECK(t.log->lines[0].received == 8);
  CHECK(t.log->lines[0].sent == 6);
  CHECK(t.log->lines[0].datagrams == 1);
  CHECK(t.log->lines[0].cluster == "c");
  CHECK(t.log->lines[0].host == t.host.address.toString());
}

TEST_CASE("a host that refuses is counted, and its session goes on when it is back") {
  ProxyTest t;
  t.send(t.client, "before");
  CHECK(t.host.take() == "before");
  t.host.stop();
  t.send(t.client, "lost");
  CHECK(t.loop.until([&] { return t.stat("c.rx_err") == 1; }));
  t.host.restart();
  t.send(t.client, "after");

  CHECK(t.host.takeAll() == Texts{"after"});
  CHECK(t.stat("total") == 1);
}

TEST_CASE("without a cluster or a host datagrams are dropped and counted") {
  ProxyTest t;
  t.hosts({});
  t.send(t.client, "x");
  CHECK(t.stat("c.none_healthy") == 1);
  t.clusters.remove(0);
  t.send(t.client, "x");
  CHECK(t.stat("no_route") == 1);
  CHECK(t.stat("total") == 0);
  t.hosts({*net::Address::fromUnixPath("@no-udp")});
  t.send(t.client, "x");
  CHECK(t.stat("c.connect_fail") == 1);
  CHECK(t.connections() == 0);

  t.hosts({t.host.address});
  t.send(t.client, "x");
  CHECK(t.host.take() == "x");
}

TEST_CASE("sessions count as connections of the cluster's circuit breaker") {
  ProxyTest t;
  t.breakers->setLimits({upstream::cluster::Thresholds{.max_connections = 1}, {}});
  Peer second;
  t.send(t.client, "a");
  t.send(second, "b");
  t.send(t.client, "c");

  CHECK(t.host.takeAll() == Texts{"a", "c"});
  CHECK(t.stat("c.overflow") == 1);
  CHECK(t.connections() == 1);
}

TEST_CASE("a worker has no more sessions than its budget, and the ones that it has go on") {
  ProxyTest t;
  t.datagrams.sessions.limit = 1;
  Peer second;
  t.send(t.client, "a");
  t.send(second, "b");
  t.send(t.client, "c");
  CHECK(t.host.takeAll() == Texts{"a", "c"});
  CHECK(t.stat("overflow") == 1);
  CHECK(t.connections() == 1);

  t.loop.pass(60s);
  t.send(second, "d");
  CHECK(t.host.takeAll() == Texts{"d"});
}

TEST_CASE("a session ends with its host, and the client's next datagram begins one with another") {
  ProxyTest t;
  t.send(t.client, "a");
  t.hosts({t.host.address, t.other_host.address});
  t.send(t.client, "b");
  CHECK(t.host.takeAll() == Texts{"a", "b"});
  t.answer("answer");

  t.hosts({t.other_host.address});
  CHECK(t.proxy->sessions() == 0);
  t.send(t.client, "c");

  CHECK(t.host.takeAll().empty());
  CHECK(t.other_host.takeAll() == Texts{"c"});
  CHECK(t.log->lines[0].details == "host_removed");
}

TEST_CASE("the answer that a removed host owes still arrives, for a while") {
  ProxyTest t;
  t.send(t.client, "question");
  t.host.take();
  t.hosts({t.other_host.address});
  t.send(t.client, "to the other");
  CHECK(t.other_host.takeAll() == Texts{"to the other"});
  CHECK(t.proxy->sessions() == 2);
  t.answer("answer");
  CHECK(t.client.takeAll() == Texts{"answer"});
  t.hosts({});
  CHECK(t.proxy->sessions() == 2);
  t.loop.pass(5s);

  CHECK(t.proxy->sessions() == 0);
  CHECK(t.log->lines.size() == 2);
  CHECK(t.log->lines[0].details == "host_removed");
  CHECK(t.stat("idle") == 0);
}

TEST_CASE("a session ends when its host becomes unhealthy") {
  ProxyTest t;
  t.send(t.client, "a");
  t.host.take();
  t.answer("b");
  t.hosts({t.host.address}, Health::kUnhealthy);
  CHECK(t.proxy->sessions() == 0);
}

TEST_CASE("a session outlives another configuration of its cluster, but not the cluster") {
  ProxyTest t;
  t.send(t.client, "a");
  t.config = std::make_shared<upstream::cluster::ClusterConfig>(*t.config);
  t.hosts({t.host.address});
  t.send(t.client, "b");
  CHECK(t.host.takeAll() == Texts{"a", "b"});
  CHECK(t.stat("total") == 1);

  t.answer("c");
  t.clusters.remove(0);
  t.loop.turn();
  CHECK(t.proxy->sessions() == 0);
  CHECK(t.log->lines[0].details == "cluster_removed");
}

TEST_CASE("with per-packet balancing each datagram gets a host of its own") {
  ProxyTest t;
  t.settings->per_packet = true;
  t.hosts({t.host.address, t.other_host.address});
  for (int i = 0; i < 6; ++i) t.client.send("x", t.port->address());
  t.serve();

  CHECK(t.host.takeAll().size() == 3);
  CHECK(t.other_host.takeAll().size() == 3);
  CHECK(t.proxy->sessions() == 2);
  t.host.send("one", t.host.last_from);
  t.other_host.send("other", t.other_host.last_from);
  t.loop.turn();
  CHECK(t.client.takeAll().size() == 2);
}

TEST_CASE("after an update sessions end by their own configuration, others begin by the new one") {
  ProxyTest t;
  t.send(t.client, "a");
  auto next = std::make_shared<Settings>(*t.settings);
  next->idle_timeout = 1s;
  CHECK(t.proxy->update(Filter(next), 30s));
  Peer second;
  t.send(second, "b");
  t.loop.pass(2s);
  CHECK(t.proxy->sessions() == 1);
  t.send(t.client, "c");
  CHECK(t.stat("total") == 2);
  for (int i = 0; i < 27; ++i) {
    t.loop.pass(1s);
    t.send(t.client, "d");
  }
  CHECK(t.stat("total") == 2);
  t.host.takeAll();
  t.loop.pass(1s);
  t.answer("by the old one");
  CHECK(t.client.takeAll() == Texts{"by the old one"});
  t.send(t.client, "e");
  CHECK(t.stat("total") == 3);
  t.loop.pass(5s);
  CHECK(t.proxy->sessions() == 0);
  CHECK(std::count_if(t.log->lines.begin(), t.log->lines.end(),
                      [](const Logged& line) { return line.details == "drain_timeout"; }) == 1);
}

TEST_CASE("a filter of another kind cannot take sessions over") {
  class Other : public filter::UdpFilter {
    std::unique_ptr<filter::UdpService> serve(worker::WorkerServices&) const override { return nullptr; }
  };
  ProxyTest t;
  CHECK_FALSE(t.proxy->update(Other(), 1s));
}

TEST_CASE("while draining sessions answer until they are silent, and none begins") {
  ProxyTest t;
  t.send(t.client, "a");
  t.host.take();
  t.proxy->drain(nullptr, 30s);
  Peer second;
  t.send(second, "b");
  CHECK(t.host.takeAll().empty());
  CHECK(t.stat("rx_dropped") == 1);
  t.loop.pass(4s);
  t.send(t.client, "c");
  t.loop.pass(4s);
  t.host.send("answer", t.host.last_from);
  t.loop.turn();
  CHECK(t.client.takeAll() == Texts{"answer"});
  t.loop.pass(5s);

  CHECK(t.proxy->sessions() == 0);
  CHECK(t.stat("idle") == 0);
}

TEST_CASE("a drained port takes only its own sessions along") {
  ProxyTest t;
  t.send(t.client, "a");
  const auto other = base::makeLocal<filter::UdpPort>(t.other_host.address, net::Fd());
  t.proxy->drain(other.get(), 1s);
  t.loop.pass(1s);
  CHECK(t.proxy->sessions() == 1);
  t.host.take();
  t.answer("b");
  t.proxy->drain(t.port.get(), 1s);
  t.loop.pass(1s);
  CHECK(t.proxy->sessions() == 0);
}

TEST_CASE("sessions of a client belong together by its address, or all by a text") {
  ProxyTest t;
  t.settings->hash_source = GENERATE(true, false);
  t.settings->hash = base::xxHash64("all");
  const uint64_t hash = t.settings->hash_source ? base::xxHash64("127.0.0.1") : base::xxHash64("all");
  t.config->lb.policy = std::make_shared<upstream::lb::ByHeader>("none");
  t.hosts({t.host.address, t.other_host.address}, Health::kHealthy);
  t.clusters.remove(0);
  t.publish();
  Peer second;
  t.send(t.client, "one");
  t.send(second, "two");

  Peer& chosen = hash % 2 == 0 ? t.host : t.other_host;
  CHECK(chosen.takeAll() == Texts{"one", "two"});
}

}  // namespace
}  // namespace sluice::extensions::udp_filters::udp_proxy
