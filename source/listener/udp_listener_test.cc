// UDP listeners over loopback: what of their sockets and datagrams survives updates and removal.
#include "source/listener/udp_listener.h"

#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <optional>
#include <string>

#include "source/event/polled_loop.h"
#include "source/listener/listener.h"

using namespace std::chrono_literals;

namespace sluice::listener {
namespace {

using Texts = std::vector<std::string>;

// What services did, whichever they were.
struct Seen {
  Texts datagrams;
  std::vector<net::Address> locals;
  int updates = 0, made = 0, destroyed = 0;
  std::vector<const filter::UdpPort*> drained;
  bool keep = false;  // the port of the last datagram, as a session would
  base::LocalPtr<filter::UdpPort> kept;
};

class TestService : public filter::UdpService {
 public:
  explicit TestService(Seen& seen) : seen_(seen) { ++seen_.made; }
  ~TestService() override { ++seen_.destroyed; }
  void onDatagrams(filter::UdpPort& port, std::span<const net::Datagram> datagrams) override {
    for (const net::Datagram& one : datagrams) {
      seen_.datagrams.emplace_back(one.payload);
      seen_.locals.push_back(one.local);
    }
    if (seen_.keep) seen_.kept = base::LocalPtr<filter::UdpPort>(&port);
  }
  void onReadError() override {}
  bool update(const filter::UdpFilter&, std::chrono::milliseconds) override { return ++seen_.updates > 0; }
  void drain(const filter::UdpPort* port, std::chrono::milliseconds) override { seen_.drained.push_back(port); }
  size_t sessions() const override { return seen_.kept ? 1 : 0; }

 private:
  Seen& seen_;
};

class TestFilter : public filter::UdpFilter {
 public:
  explicit TestFilter(Seen& seen) : seen_(seen) {}
  std::unique_ptr<filter::UdpService> serve(worker::WorkerServices&) const override {
    return std::make_unique<TestService>(seen_);
  }

 private:
  Seen& seen_;
};

class Client {
 public:
  explicit Client(const net::Address& to) : fd_(*net::connectDatagram(to)) {}
  bool send(std::string_view bytes) { return ::send(fd_.get(), bytes.data(), bytes.size(), 0) >= 0; }
  std::string take() {
    char buffer[100];
    const ssize_t size = recv(fd_.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
    return size < 0 ? std::string("nothing") : std::string(buffer, size);
  }
  net::Address address() const { return net::localAddress(fd_.get()); }

 private:
  net::Fd fd_;
};

struct UdpListenerTest {
  UdpListenerTest() {
    services.add(datagrams);
    stats.udp_rx_dropped = registry.counter("dropped");
  }

  // A socket of `ip`, as main makes them.
  net::Fd socket(const net::Address& address) {
    return *net::listenOn(address, {.datagram = true, .reuse_port = true});
  }
  void set(std::vector<net::Address> addresses, std::vector<net::Fd> sockets, uint64_t filter_hash = 1,
           uint64_t socket_hash = 1) {
    auto config = std::make_shared<ListenerConfig>();
    config->name = "l";
    config->addresses = std::move(addresses);
    config->socket_hash = socket_hash;
    config->stats = stats;
    config->udp = {std::make_shared<TestFilter>(seen), filter_hash, 100, false};
    listeners->set(config, std::move(sockets), 10s);
  }
  net::Address start(const char* ip = "127.0.0.1") {
    std::vector<net::Fd> sockets;
    sockets.push_back(socket(*net::Address::fromIp(ip, 0)));
    const net::Address bound = net::localAddress(sockets[0].get());
    set({bound}, std::move(sockets));
    return bound;
  }

  event::PolledLoop loop;
  observability::StatsRegistry registry;
  observability::StatsCells& cells = registry.makeCells();
  ListenerStats stats;
  net::WorkerBuffers buffers;
  observability::LogFiles log_files{registry};
  observability::LogSink log_sink{log_files};
  worker::NoCalls calls;
  worker::WorkerServices services{
      {.loop = loop, .buffers = buffers, .cells = cells, .log_sink = log_sink, .calls = calls}};
  filter::DatagramWorker datagrams;
  Seen seen;
  std::unique_ptr<WorkerListeners> listeners = std::make_unique<WorkerListeners>(services);
};

TEST_CASE("datagrams go to the filter with the address that they were sent to") {
  UdpListenerTest t;
  const net::Address at = t.start();
  Client client(at);
  client.send("one");
  client.send(std::string(101, 'x'));
  client.send("two");
  t.loop.turn();

  CHECK(t.seen.datagrams == Texts{"one", "two"});
  CHECK(t.seen.locals[0] == at);
  CHECK(t.registry.valueOf("dropped") == 1);
}

TEST_CASE("a UDP listener of all addresses knows which one a client used, and answers from it") {
  UdpListenerTest t;
  t.seen.keep = true;
  const net::Address any = t.start("0.0.0.0");
  Client client(*net::Address::fromIp("127.0.0.3", any.port()));
  client.send("ping");
  t.loop.turn();
  REQUIRE(t.seen.locals.size() == 1);
  CHECK(t.seen.locals[0].toString() == "127.0.0.3:" + std::to_string(any.port()));

  const std::string_view pong = "pong";
  t.seen.kept->send(client.address(), t.seen.locals[0], {&pong, 1});
  CHECK(client.take() == "pong");
}

TEST_CASE("an update keeps socket and service, and tells the service only what is new") {
  UdpListenerTest t;
  const net::Address at = t.start();
  Client client(at);
  client.send("before");
  t.set({at}, {}, 1);
  CHECK(t.seen.updates == 0);
  t.set({at}, {}, 2);
  client.send("after");
  t.loop.turn();

  CHECK(t.seen.datagrams == Texts{"before", "after"});
  CHECK(t.seen.updates == 1);
  CHECK(t.seen.made == 1);
  CHECK(t.seen.drained.empty());
}

TEST_CASE("nothing is lost when sockets are exchanged for others of the same address") {
  UdpListenerTest t;
  t.seen.keep = true;
  const net::Address at = t.start();
  std::vector<Client> clients;
  for (int i = 0; i < 32; ++i) clients.emplace_back(at);
  for (Client& client : clients) client.send("old socket");
  std::vector<net::Fd> fresh;
  fresh.push_back(t.socket(at));
  for (Client& client : clients) client.send("either");  // the kernel spreads them over both
  t.set({at}, std::move(fresh), 1, 2);
  for (Client& client : clients) client.send("new socket");
  t.loop.turn();

  CHECK(t.seen.datagrams.size() == 96);
  CHECK(t.seen.drained.empty());
  const std::string_view answer = "answer";
  CHECK(t.seen.kept->send(clients[0].address(), at, {&answer, 1}).datagrams == 1);
  CHECK(clients[0].take() == "answer");
}

TEST_CASE("what has come is served before an address goes, and it still answers") {
  UdpListenerTest t;
  t.seen.keep = true;
  const net::Address at = t.start();
  Client client(at);
  client.send("question");
  std::vector<net::Fd> fresh;
  fresh.push_back(t.socket(*net::Address::fromIp("127.0.0.1", 0)));
  const net::Address other = net::localAddress(fresh[0].get());
  t.set({other}, std::move(fresh));

  CHECK(t.seen.datagrams == Texts{"question"});
  CHECK(t.seen.drained.size() == 1);
  const std::string_view answer = "answer";
  t.seen.kept->send(client.address(), at, {&answer, 1});
  CHECK(client.take() == "answer");
  client.send("late");
  t.loop.turn();
  CHECK(t.seen.datagrams == Texts{"question"});
}

TEST_CASE("a removed UDP listener lets another take its address over while its sessions still answer") {
  UdpListenerTest t;
  t.seen.keep = true;
  const net::Address at = t.start();
  Client client(at);
  client.send("question");
  t.loop.turn();
  t.listeners->remove("l", 10s);
  CHECK(t.listeners->connections() == 1);

  const net::Fd next = t.socket(at);
  client.send("to the next");
  char buffer[100];
  CHECK(recv(next.get(), buffer, sizeof(buffer), MSG_DONTWAIT) == 11);
  const std::string_view answer = "answer";
  t.seen.kept->send(client.address(), at, {&answer, 1});
  CHECK(client.take() == "answer");
  t.seen.kept.reset();
  CHECK(t.listeners->connections() == 0);
}

TEST_CASE("draining goes on reading while there are sessions, and stops at once where there are none") {
  UdpListenerTest t;
  const net::Address at = t.start();
  Client client(at);
  t.seen.keep = true;
  client.send("a");
  t.loop.turn();
  t.listeners->drainAll(10s);
  client.send("b");
  t.loop.turn();
  CHECK(t.seen.datagrams == Texts{"a", "b"});
  CHECK(t.seen.drained == std::vector<const filter::UdpPort*>{nullptr});
  CHECK(t.listeners->closeAll().total == 1);
  CHECK(t.seen.destroyed == 1);
  t.seen.kept.reset();

  UdpListenerTest idle;
  Client other(idle.start());
  idle.listeners->drainAll(10s);
  other.send("refused");
  CHECK(idle.loop.until([&] { return !other.send("x"); }));
  CHECK(idle.seen.datagrams.empty());
}

TEST_CASE("a listener may turn from UDP to TCP and back") {
  std::optional<UdpListenerTest> test;
  std::optional<net::Address> bound;
  std::optional<net::Fd> stream;
  while (!stream) {  // until the port that UDP got is nobody's for TCP
    test.emplace();
    bound = test->start();
    if (absl::StatusOr<net::Fd> socket = net::listenOn(*bound, {}); socket.ok()) stream = *std::move(socket);
  }
  UdpListenerTest& t = *test;
  const net::Address at = *bound;
  auto tcp = std::make_shared<ListenerConfig>();
  tcp->name = "l";
  tcp->addresses = {at};
  tcp->chains = {{"chain", 1, nullptr}};
  std::vector<net::Fd> sockets;
  sockets.push_back(*std::move(stream));
  t.listeners->set(tcp, std::move(sockets), 10s);
  CHECK(t.seen.drained.size() == 1);
  std::vector<net::Fd> fresh;
  fresh.push_back(t.socket(at));
  t.set({at}, std::move(fresh));
  const absl::StatusOr<net::Fd> refused = net::startConnect(at);
  CHECK((!refused.ok() || net::pendingError(refused->get()) == ECONNREFUSED));
  Client client(at);
  client.send("datagram");
  t.loop.turn();
  CHECK(t.seen.datagrams == Texts{"datagram"});
}

}  // namespace
}  // namespace sluice::listener
