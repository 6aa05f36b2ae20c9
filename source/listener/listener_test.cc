#include "source/listener/listener.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <random>

#include "source/event/polled_loop.h"

using namespace std::chrono_literals;

namespace sluice::listener {
namespace {

// A served connection: knows which generation of the listener made it.
class Served : public filter::LiveConnection {
 public:
  Served(net::Fd fd, std::string by, std::vector<Served*>& all) : fd(std::move(fd)), by(std::move(by)), all_(all) {
    all_.push_back(this);
  }
  ~Served() override { std::erase(all_, this); }
  void drain() override { ++drained; }
  bool closeNow(std::string_view details) override {
    const bool was_busy = busy;
    last_words = details;
    delete this;
    return was_busy;
  }
  net::Fd fd;
  std::string by;
  int drained = 0;
  bool busy = false;
  static inline std::string last_words;

 private:
  std::vector<Served*>& all_;
};

class Server : public filter::TerminalNetworkFilter {
 public:
  Server(std::string name, std::vector<Served*>& all) : name_(std::move(name)), all_(all) {}
  void serve(net::Fd fd, const net::Address& remote, const net::Address& local, filter::NetworkServices&,
             base::List<filter::LiveConnection>& list) const override {
    list.pushBack(*new Served(std::move(fd), name_, all_));
    last_remote = remote;
    last_local = local;
  }
  static inline net::Address last_remote, last_local;

 private:
  std::string name_;
  std::vector<Served*>& all_;
};

struct ListenerTest {
  ListenerTest() {
    stats.cx_total = registry.counter("cx_total");
    stats.cx_overflow = registry.counter("cx_overflow");
  }
  ~ListenerTest() {
    listeners.reset();
    CHECK(all.empty());
  }
  net::Address address() {
    static int count = 0;
    return *net::Address::fromUnixPath("@sluice-listener-" + std::to_string(std::random_device()()) + "-" +
                                       std::to_string(++count));
  }
  // `generation` names what serves; the same `hash` is the same chain.
  void set(const std::string& name, std::vector<net::Address> addresses, const std::string& generation, uint64_t hash,
           const std::vector<net::Address>& fresh) {
    auto config = std::make_shared<ListenerConfig>();
    config->name = name;
    config->addresses = std::move(addresses);
    config->chain = {"chain", hash, std::make_shared<Server>(generation, all)};
    config->stats = stats;
    std::vector<net::Fd> sockets;
    for (const net::Address& one : fresh) sockets.push_back(*net::listenOn(one, {}));
    listeners->set(config, std::move(sockets), 10s);
  }
  net::Fd connect(const net::Address& to) {
    absl::StatusOr<net::Fd> fd = net::startConnect(to);
    return fd.ok() ? *std::move(fd) : net::Fd();
  }
  static bool closed(const net::Fd& fd) {
    char byte;
    return recv(fd.get(), &byte, 1, MSG_DONTWAIT) == 0;
  }

  event::PolledLoop loop;
  observability::StatsRegistry registry;
  observability::StatsCells& cells = registry.makeCells();
  ListenerStats stats;
  std::vector<Served*> all;
  // Nothing here looks into the services.
  alignas(64) char no_sessions[64];
  filter::NetworkServices services{reinterpret_cast<session::SessionWorker&>(no_sessions)};
  std::unique_ptr<WorkerListeners> listeners = std::make_unique<WorkerListeners>(loop, services, cells);
};

TEST_CASE("connections are accepted and counted") {
  ListenerTest t;
  const net::Address at = t.address();
  t.set("l", {at}, "one", 1, {at});
  const net::Fd a = t.connect(at), b = t.connect(at);
  t.loop.turn();
  CHECK(t.all.size() == 2);
  CHECK(t.listeners->connections() == 2);
  CHECK(t.registry.valueOf("cx_total") == 2);
  CHECK(Server::last_local == at);
}

TEST_CASE("the address that a client came in by is told where the listener has them all") {
  ListenerTest t;
  net::Fd fd = *net::listenOn(*net::Address::fromIp("0.0.0.0", 0), {});
  const net::Address any = net::localAddress(fd.get());
  auto config = std::make_shared<ListenerConfig>();
  config->name = "l";
  config->addresses = {any};
  config->chain = {"chain", 1, std::make_shared<Server>("one", t.all)};
  std::vector<net::Fd> sockets;
  sockets.push_back(std::move(fd));
  t.listeners->set(config, std::move(sockets), 10s);
  const net::Fd client = t.connect(*net::Address::fromIp("127.0.0.1", any.port()));
  CHECK(t.loop.until([&] { return t.all.size() == 1; }));
  CHECK(Server::last_local.toString() == "127.0.0.1:" + std::to_string(any.port()));
  CHECK(Server::last_remote == net::localAddress(client.get()));
}

TEST_CASE("an update with the same chain touches neither sockets nor connections") {
  ListenerTest t;
  const net::Address at = t.address();
  t.set("l", {at}, "one", 1, {at});
  const net::Fd before = t.connect(at);
  t.loop.turn();
  const net::Fd waits = t.connect(at);  // in the accept queue across the update
  t.set("l", {at}, "two", 1, {});
  t.loop.turn();
  REQUIRE(t.all.size() == 2);
  CHECK(t.all[0]->by == "one");
  CHECK(t.all[0]->drained == 0);
  CHECK(t.all[1]->by == "two");
  t.loop.pass(60s);
  CHECK(t.all.size() == 2);
}

TEST_CASE("an update with another chain drains what the old one serves, and cuts it at last") {
  ListenerTest t;
  const net::Address at = t.address();
  t.set("l", {at}, "one", 1, {at});
  const net::Fd old = t.connect(at);
  t.loop.turn();
  t.set("l", {at}, "two", 2, {});
  const net::Fd next = t.connect(at);
  t.loop.turn();
  REQUIRE(t.all.size() == 2);
  CHECK(t.all[0]->drained == 1);
  CHECK(t.all[1]->by == "two");
  CHECK(t.all[1]->drained == 0);
  CHECK(t.listeners->connections() == 2);
  t.loop.pass(9999ms);
  CHECK(t.all.size() == 2);
  t.loop.pass(1ms);
  REQUIRE(t.all.size() == 1);
  CHECK(t.all[0]->by == "two");
  CHECK(Served::last_words == "drain_timeout");
  CHECK(ListenerTest::closed(old));
}

TEST_CASE("a listener may gain an address and lose one, whose queue is still served") {
  ListenerTest t;
  const net::Address first = t.address(), second = t.address();
  t.set("l", {first}, "one", 1, {first});
  const net::Fd waits = t.connect(first);
  t.set("l", {second}, "two", 1, {second});
  CHECK(t.all.size() == 1);
  CHECK_FALSE(t.connect(first).valid());
  const net::Fd next = t.connect(second);
  t.loop.turn();
  CHECK(t.all.size() == 2);
  t.set("l", {first, second}, "three", 1, {first});
  const net::Fd again = t.connect(first), also = t.connect(second);
  t.loop.turn();
  CHECK(t.all.size() == 4);
}

TEST_CASE("a listener that is removed serves its queue, then refuses; its connections drain") {
  ListenerTest t;
  const net::Address at = t.address();
  t.set("l", {at}, "one", 1, {at});
  std::vector<net::Fd> waiting;
  for (int i = 0; i < 100; ++i) waiting.push_back(t.connect(at));
  t.listeners->remove("l", 10s);
  CHECK(t.all.size() == 100);
  CHECK(t.all[99]->drained == 1);
  CHECK_FALSE(t.connect(at).valid());
  t.listeners->remove("l", 10s);  // of one that is not there: nothing
  t.loop.pass(10s);
  CHECK(t.all.empty());
}

TEST_CASE("draining all of them counts what is cut at the end") {
  ListenerTest t;
  const net::Address one = t.address(), two = t.address();
  t.set("a", {one}, "a", 1, {one});
  t.set("b", {two}, "b", 1, {two});
  const net::Fd first = t.connect(one), second = t.connect(two);
  t.loop.turn();
  t.all[0]->busy = true;
  t.listeners->drainAll(10s);
  CHECK(t.listeners->connections() == 2);
  const WorkerListeners::Cut cut = t.listeners->closeAll();
  CHECK(cut.total == 2);
  CHECK(cut.busy == 1);
  CHECK(t.listeners->connections() == 0);
}

TEST_CASE("a connection that ends by itself leaves its listener") {
  ListenerTest t;
  const net::Address at = t.address();
  t.set("l", {at}, "one", 1, {at});
  const net::Fd a = t.connect(at), b = t.connect(at);
  t.loop.turn();
  delete t.all[0];
  CHECK(t.listeners->connections() == 1);
  t.set("l", {at}, "two", 2, {});
  delete t.all[0];
  CHECK(t.listeners->connections() == 0);
  t.loop.pass(60s);
}

TEST_CASE("without descriptors accepting rests, and goes on when there are some") {
  ListenerTest t;
  const net::Address at = t.address();
  t.set("l", {at}, "one", 1, {at});
  const net::Fd client = t.connect(at);
  // No descriptor above those in use.
  rlimit before;
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  std::vector<net::Fd> gaps;  // fills what is free below the highest
  gaps.emplace_back(dup(0));
  none.rlim_cur = static_cast<rlim_t>(gaps.back().get()) + 1;
  for (int fd = dup(0); fd >= 0 && fd < static_cast<int>(none.rlim_cur); fd = dup(0)) gaps.emplace_back(fd);
  setrlimit(RLIMIT_NOFILE, &none);
  t.loop.turn();
  const size_t served = t.all.size();
  const auto overflow = t.registry.valueOf("cx_overflow");
  t.loop.turn();
  const auto overflow_later = t.registry.valueOf("cx_overflow");
  setrlimit(RLIMIT_NOFILE, &before);
  CHECK(served == 0);
  CHECK(overflow == 1);
  CHECK(overflow_later == 1);  // it does not spin
  t.loop.turn();
  CHECK(t.all.empty());
  t.loop.pass(100ms);
  CHECK(t.all.size() == 1);
}

}  // namespace
}  // namespace sluice::listener
