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
  void drainAtAnswer() override { ++to_drain; }
  bool closeNow(std::string_view details) override {
    const bool was_busy = busy;
    last_words = details;
    delete this;
    return was_busy;
  }
  net::Fd fd;
  std::string by;
  int drained = 0;
  int to_drain = 0;
  bool busy = false;
  static inline std::string last_words;

 private:
  std::vector<Served*>& all_;
};

class Server : public filter::TerminalNetworkFilter {
 public:
  Server(std::string name, std::vector<Served*>& all) : name_(std::move(name)), all_(all) {}
  void serve(filter::Accepted accepted, worker::WorkerServices&,
             base::List<filter::LiveConnection>& list) const override {
    list.pushBack(*new Served(std::move(accepted.fd), name_, all_));
    last_remote = accepted.remote;
    last_local = accepted.local;
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
    stats.global_cx_overflow = registry.counter("global_cx_overflow");
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
    config->chains = {{"chain", hash, std::make_shared<Server>(generation, all)}};
    config->stats = stats;
    config->inbound = inbound;
    config->process_limit = process_limit;
    config->limit = limit;
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
    const ssize_t size = recv(fd.get(), &byte, 1, MSG_DONTWAIT);
    return size == 0 || (size < 0 && errno == ECONNRESET);  // the latter where it had not read all
  }

  base::SharedLimit *process_limit = nullptr, *limit = nullptr;
  bool inbound = false;
  event::PolledLoop loop;
  observability::StatsRegistry registry;
  observability::StatsCells& cells = registry.makeCells();
  ListenerStats stats;
  std::vector<Served*> all;
  net::WorkerBuffers buffers;
  observability::LogFiles log_files{registry};
  observability::LogSink log_sink{log_files};
  worker::NoCalls calls;
  worker::WorkerServices makeServices(uint32_t index) {
    return worker::WorkerServices(
        {.loop = loop, .buffers = buffers, .cells = cells, .log_sink = log_sink, .calls = calls, .index = index});
  }
  worker::WorkerServices services = makeServices(0);
  std::unique_ptr<WorkerListeners> listeners = std::make_unique<WorkerListeners>(services);
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

TEST_CASE("connections beyond a limit are closed at once, and an end makes room") {
  base::SharedLimit two(2), three(3);
  ListenerTest t;
  const bool of_process = GENERATE(true, false);
  t.process_limit = of_process ? &two : &three;
  t.limit = of_process ? &three : &two;
  const net::Address at = t.address();
  t.set("l", {at}, "one", 1, {at});
  const net::Fd a = t.connect(at), b = t.connect(at), c = t.connect(at), d = t.connect(at);
  t.loop.turn();
  CHECK(t.all.size() == 2);
  CHECK(t.closed(c));
  CHECK(t.closed(d));
  CHECK(t.registry.valueOf(of_process ? "global_cx_overflow" : "cx_overflow") == 2);
  CHECK(t.registry.valueOf(of_process ? "cx_overflow" : "global_cx_overflow") == 0);
  CHECK(t.registry.valueOf("cx_total") == 2);

  t.all.front()->closeNow("test");
  const net::Fd e = t.connect(at);
  t.loop.turn();
  CHECK_FALSE(t.closed(e));
  CHECK(two.used() == 2);
  t.set("l", {at}, "two", 2, {});  // those that drain count
  const net::Fd f = t.connect(at);
  t.loop.turn();
  CHECK(t.closed(f));
  t.listeners->closeAll();
  CHECK(two.used() == 0);
  CHECK(three.used() == 0);
}

TEST_CASE("a connection that is over when it is served is not counted on") {
  struct Refuser : filter::TerminalNetworkFilter {
    void serve(filter::Accepted, worker::WorkerServices&, base::List<filter::LiveConnection>&) const override {}
  };
  base::SharedLimit limit(2);
  ListenerTest t;
  const net::Address at = t.address();
  t.set("l", {at}, "one", 1, {at});
  const net::Fd uncounted = t.connect(at);
  t.loop.turn();
  auto config = std::make_shared<ListenerConfig>();
  config->name = "l";
  config->addresses = {at};
  config->chains = {{"chain", 1, std::make_shared<Refuser>()}};
  config->limit = &limit;
  t.listeners->set(config, {}, 10s);
  for (int i = 0; i < 5; ++i) {
    const net::Fd client = t.connect(at);
    t.loop.turn();
    CHECK(t.closed(client));
  }
  CHECK(limit.used() == 0);
  CHECK(t.all.size() == 1);
}

TEST_CASE(
    "the address that a client came in by is told where the listener has "
    "them all") {
  ListenerTest t;
  net::Fd fd = *net::listenOn(*net::Address::fromIp("0.0.0.0", 0), {});
  const net::Address any = net::localAddress(fd.get());
  auto config = std::make_shared<ListenerConfig>();
  config->name = "l";
  config->addresses = {any};
  config->chains = {{"chain", 1, std::make_shared<Server>("one", t.all)}};
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

TEST_CASE(
    "an update with another chain drains what the old one serves, and "
    "cuts it at last") {
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

TEST_CASE(
    "a connection that no chain matches is closed and counted, or the "
    "default chain's") {
  ListenerTest t;
  t.stats.no_filter_chain_match = t.registry.counter("no_filter_chain_match");
  const net::Address at = t.address();
  auto index = std::make_shared<ChainIndex>();
  index->add({.transport_protocol = "tls"}, 0);
  auto config = std::make_shared<ListenerConfig>();
  config->name = "l";
  config->addresses = {at};
  config->chains = {{"tls", 1, std::make_shared<Server>("tls", t.all)}};
  config->index = index;
  config->stats = t.stats;
  auto next = std::make_shared<ListenerConfig>(*config);
  std::vector<net::Fd> sockets;
  sockets.push_back(*net::listenOn(at, {}));
  t.listeners->set(config, std::move(sockets), 10s);
  const net::Fd nobody = t.connect(at);
  t.loop.turn();
  CHECK(ListenerTest::closed(nobody));
  CHECK(t.registry.valueOf("no_filter_chain_match") == 1);
  next->chains.push_back({"default", 2, std::make_shared<Server>("default", t.all)});
  next->default_chain = 1;
  t.listeners->set(next, {}, 10s);
  const net::Fd client = t.connect(at);
  t.loop.turn();
  REQUIRE(t.all.size() == 1);
  CHECK(t.all[0]->by == "default");
}

TEST_CASE("a matcher chooses the chain, and what it says nothing of is the default chain's") {
  struct Address : match::Input {
    uint8_t needs() const override { return match::kAddresses; }
    match::Value get(const match::Data& data, match::Scratch& scratch) const override {
      scratch = data.local->toString();
      return {.text = scratch};
    }
  };
  ListenerTest t;
  t.stats.no_filter_chain_match = t.registry.counter("no_filter_chain_match");
  const net::Address named = t.address(), unknown = t.address(), other = t.address();
  match::ExactMap map{std::make_shared<Address>(), {}};
  map.entries[named.toString()].action = 1;
  map.entries[unknown.toString()].action = 7;  // of no chain
  auto matcher = std::make_shared<match::Matcher>();
  matcher->how = std::move(map);
  auto config = std::make_shared<ListenerConfig>();
  config->name = "l";
  config->addresses = {named, unknown, other};
  config->chains = {{"default", 1, std::make_shared<Server>("default", t.all)},
                    {"named", 2, std::make_shared<Server>("named", t.all)}};
  config->matcher = matcher;
  config->default_chain = 0;
  config->stats = t.stats;
  std::vector<net::Fd> sockets;
  for (const net::Address& at : config->addresses) sockets.push_back(*net::listenOn(at, {}));
  t.listeners->set(config, std::move(sockets), 10s);

  const net::Fd to_named = t.connect(named);
  t.loop.turn();
  const net::Fd to_other = t.connect(other);
  t.loop.turn();
  const net::Fd to_unknown = t.connect(unknown);
  t.loop.turn();

  REQUIRE(t.all.size() == 2);
  CHECK(t.all[0]->by == "named");
  CHECK(t.all[1]->by == "default");
  CHECK(ListenerTest::closed(to_unknown));
  CHECK(t.registry.valueOf("no_filter_chain_match") == 1);
}

TEST_CASE(
    "an update drains the connections of the chains that changed, "
    "wherever they stand in the list") {
  ListenerTest t;
  const net::Address at = t.address();
  auto make = [&](std::vector<FilterChain> chains, std::string takes) {
    auto config = std::make_shared<ListenerConfig>();
    config->name = "l";
    config->addresses = {at};
    for (size_t i = 0; i < chains.size(); ++i) {
      if (chains[i].name == takes) config->default_chain = i;
    }
    config->chains = std::move(chains);
    config->index = std::make_shared<ChainIndex>();
    config->stats = t.stats;
    return config;
  };
  auto chain = [&](const std::string& name, uint64_t hash) {
    return FilterChain{name, hash, std::make_shared<Server>(name, t.all)};
  };
  std::vector<net::Fd> sockets;
  sockets.push_back(*net::listenOn(at, {}));
  t.listeners->set(make({chain("a", 1), chain("b", 2), chain("c", 3)}, "a"), std::move(sockets), 10s);
  const net::Fd to_a = t.connect(at);
  t.loop.turn();
  t.listeners->set(make({chain("a", 1), chain("b", 2), chain("c", 3)}, "b"), {}, 10s);
  const net::Fd to_b = t.connect(at);
  t.loop.turn();
  t.listeners->set(make({chain("a", 1), chain("b", 2), chain("c", 3)}, "c"), {}, 10s);
  const net::Fd to_c = t.connect(at);
  t.loop.turn();
  REQUIRE(t.all.size() == 3);
  CHECK(t.listeners->connections() == 3);
  t.listeners->set(make({chain("c", 3), chain("b", 22), chain("d", 4), chain("a", 1)}, "d"), {}, 10s);
  CHECK(t.all[0]->drained == 0);
  CHECK(t.all[1]->drained == 1);
  CHECK(t.all[2]->drained == 0);
  t.loop.pass(10s);
  CHECK(t.listeners->connections() == 2);
  t.listeners->remove("l", 10s);
  CHECK(t.all[0]->drained == 1);
  CHECK(t.all[1]->drained == 1);
  t.loop.pass(10s);
}

// --- listener filters ---

// Wants `bytes` bytes, then tells the first of them as the server name; consumes some of them.
class Wants : public filter::ListenerFilter {
 public:
  explicit Wants(size_t bytes, size_t consumes = 0) : bytes_(bytes), consumes_(consumes) {}
  size_t window() const override { return bytes_; }
  Result inspect(std::string_view bytes, filter::Accepted& accepted, observability::StatsCells&) const override {
    if (bytes.size() < bytes_) return {Verdict::kMore};
    if (bytes.find('!') != bytes.npos) return {Verdict::kClose};
    accepted.server_name = bytes;
    return {Verdict::kDone, consumes_};
  }

 private:
  const size_t bytes_, consumes_;
};

// Serves with a chain each for the server names "abc" and "abd", and one for the others.
struct FilterTest : ListenerTest {
  FilterTest() {
    stats.pre_cx_active = registry.gauge("pre_cx_active");
    stats.pre_cx_timeout = registry.counter("pre_cx_timeout");
    stats.filter_remote_close = registry.counter("remote_close");
    stats.filter_error = registry.counter("error");
  }
  std::shared_ptr<ListenerConfig> filtered(std::vector<std::shared_ptr<const filter::ListenerFilter>> filters) {
    auto index = std::make_shared<ChainIndex>();
    index->add({.server_names = {"abc"}}, 0);
    index->add({.server_names = {"abd"}}, 1);
    auto config = std::make_shared<ListenerConfig>();
    config->name = "l";
    config->addresses = {at};
    config->chains = {{"abc", 1, std::make_shared<Server>("abc", all)},
                      {"abd", 2, std::make_shared<Server>("abd", all)},
                      {"rest", 3, std::make_shared<Server>("rest", all)}};
    config->index = index;
    config->default_chain = 2;
    config->stats = stats;
    for (auto& filter : filters) config->filters.push_back({std::move(filter), nullptr});
    return config;
  }
  void start(std::shared_ptr<ListenerConfig> config) {
    std::vector<net::Fd> sockets;
    sockets.push_back(*net::listenOn(at, {}));
    listeners->set(std::move(config), std::move(sockets), 10s);
  }
  void send(const net::Fd& to, std::string_view bytes) {
    REQUIRE(::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
    loop.turn();
  }
  std::string unread(size_t i) {
    char bytes[64];
    const ssize_t size = recv(all.at(i)->fd.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
    return {bytes, static_cast<size_t>(std::max<ssize_t>(size, 0))};
  }
  const net::Address at = address();
};

TEST_CASE(
    "a connection waits until its filters have seen enough, and its "
    "bytes are still there") {
  FilterTest t;
  t.start(t.filtered({std::make_shared<Wants>(3)}));
  const net::Fd client = t.connect(t.at);
  t.loop.turn();
  CHECK(t.all.empty());
  CHECK(t.listeners->connections() == 1);
  CHECK(t.registry.valueOf("pre_cx_active") == 1);
  for (const char* byte : {"a", "b"}) {
    t.send(client, byte);
    CHECK(t.all.empty());
  }
  t.send(client, "d+");
  REQUIRE(t.all.size() == 1);
  CHECK(t.all[0]->by == "abd");
  CHECK(t.unread(0) == "abd+");
  CHECK(t.registry.valueOf("pre_cx_active") == 0);
  t.loop.pass(60s);
  CHECK(t.all.size() == 1);
}

TEST_CASE(
    "a filter may consume what it understands; the next one sees what "
    "follows") {
  FilterTest t;
  t.start(t.filtered({std::make_shared<Wants>(2, 2), std::make_shared<Wants>(0), std::make_shared<Wants>(3)}));
  const net::Fd client = t.connect(t.at);
  t.send(client, "12a");
  CHECK(t.all.empty());
  t.send(client, "bc rest");
  REQUIRE(t.all.size() == 1);
  CHECK(t.all[0]->by == "abc");
  CHECK(t.unread(0) == "abc rest");
}

TEST_CASE("bytes that were there at once are looked at at once") {
  FilterTest t;
  t.start(t.filtered({std::make_shared<Wants>(3)}));
  const net::Fd client = t.connect(t.at);
  REQUIRE(::send(client.get(), "abc", 3, 0) == 3);
  t.loop.turn();
  REQUIRE(t.all.size() == 1);
  CHECK(t.all[0]->by == "abc");
}

TEST_CASE(
    "who sends too little in time is cut, or served without having been "
    "understood") {
  FilterTest t;
  const bool goes_on = GENERATE(false, true);
  auto config = t.filtered({std::make_shared<Wants>(3)});
  config->filters_timeout = 5s;
  config->continue_on_filters_timeout = goes_on;
  t.start(config);
  const net::Fd client = t.connect(t.at);
  t.send(client, "ab");
  t.loop.pass(4999ms);
  CHECK(t.all.empty());
  CHECK_FALSE(ListenerTest::closed(client));
  t.loop.pass(1ms);
  CHECK(t.registry.valueOf("pre_cx_timeout") == 1);
  CHECK(t.registry.valueOf("pre_cx_active") == 0);
  REQUIRE(t.all.size() == (goes_on ? 1 : 0));
  if (goes_on) CHECK(t.all[0]->by == "rest");
  if (goes_on) CHECK(t.unread(0) == "ab");
  CHECK(ListenerTest::closed(client) == !goes_on);
}

TEST_CASE("without a timeout connections may wait for ever") {
  FilterTest t;
  auto config = t.filtered({std::make_shared<Wants>(3)});
  config->filters_timeout = 0s;
  t.start(config);
  const net::Fd client = t.connect(t.at);
  t.send(client, "ab");
  t.loop.pass(std::chrono::hours(24));
  t.send(client, "c");
  CHECK(t.all.size() == 1);
}

TEST_CASE(
    "a connection that a filter refuses, or that ends before it is "
    "understood, is closed and counted") {
  FilterTest t;
  t.start(t.filtered({std::make_shared<Wants>(3)}));
  const net::Fd refused = t.connect(t.at), silent = t.connect(t.at), short_one = t.connect(t.at);
  t.loop.turn();
  t.send(refused, "a!c");
  CHECK(ListenerTest::closed(refused));
  CHECK(t.registry.valueOf("error") == 1);
  shutdown(silent.get(), SHUT_WR);
  t.send(short_one, "ab");
  shutdown(short_one.get(), SHUT_WR);
  t.loop.turn();
  CHECK(ListenerTest::closed(silent));
  CHECK(ListenerTest::closed(short_one));
  CHECK(t.registry.valueOf("remote_close") == 2);
  CHECK(t.listeners->connections() == 0);
  CHECK(t.all.empty());
}

TEST_CASE(
    "connections that wait while the listener changes are served by the "
    "chain that they were accepted under") {
  FilterTest t;
  t.start(t.filtered({std::make_shared<Wants>(3)}));
  const net::Fd kept = t.connect(t.at), gone = t.connect(t.at);
  t.send(kept, "ab");
  t.send(gone, "ab");
  auto next = t.filtered({});
  next->chains[0].terminal = std::make_shared<Server>("abc, new", t.all);
  next->chains[1] = {"abd", 22, std::make_shared<Server>("abd, changed", t.all)};
  std::swap(next->chains[0], next->chains[2]);
  t.listeners->set(next, {}, 10s);
  CHECK(t.listeners->connections() == 2);
  t.send(kept, "c");
  t.send(gone, "d");
  REQUIRE(t.all.size() == 2);
  CHECK(t.all[0]->by == "abc, new");
  CHECK(t.all[0]->drained == 0);
  CHECK(t.all[1]->by == "abd");  // as it was
  CHECK(t.all[1]->drained == 1);
  t.loop.pass(10s);
  CHECK(t.listeners->connections() == 1);
}

TEST_CASE(
    "connections that wait in a listener that is removed are served or "
    "cut in the end") {
  FilterTest t;
  t.start(t.filtered({std::make_shared<Wants>(3)}));
  const net::Fd talks = t.connect(t.at), silent = t.connect(t.at);
  t.send(talks, "ab");
  t.listeners->remove("l", 10s);
  CHECK(t.listeners->connections() == 2);
  t.send(talks, "c");
  REQUIRE(t.all.size() == 1);
  CHECK(t.all[0]->drained == 1);
  t.loop.pass(10s);
  CHECK(t.listeners->connections() == 0);
  CHECK(ListenerTest::closed(silent));
  CHECK(t.registry.valueOf("pre_cx_active") == 0);
}

TEST_CASE("closing all closes those that wait") {
  FilterTest t;
  t.start(t.filtered({std::make_shared<Wants>(3)}));
  const net::Fd client = t.connect(t.at);
  t.loop.turn();
  const WorkerListeners::Cut cut = t.listeners->closeAll();
  CHECK(cut.total == 1);
  CHECK(cut.busy == 0);
  CHECK(ListenerTest::closed(client));
}

TEST_CASE("a filter is skipped where its predicate holds") {
  using Rule = FilterPredicate::Rule;
  filter::Accepted at_80;
  at_80.local = *net::Address::fromIp("1.2.3.4", 80);
  const FilterPredicate low{Rule::kDestinationPort, {}, 1, 81}, high{Rule::kDestinationPort, {}, 80, 90};
  const FilterPredicate other{Rule::kDestinationPort, {}, 81, 90}, any{Rule::kAny};
  CHECK(low.holds(at_80));
  CHECK(high.holds(at_80));
  CHECK_FALSE(other.holds(at_80));
  CHECK(any.holds(at_80));
  CHECK(FilterPredicate{Rule::kAnd, {low, any}}.holds(at_80));
  CHECK_FALSE(FilterPredicate{Rule::kAnd, {low, other}}.holds(at_80));
  CHECK(FilterPredicate{Rule::kOr, {other, low}}.holds(at_80));
  CHECK_FALSE(FilterPredicate{Rule::kOr, {other, other}}.holds(at_80));
  CHECK(FilterPredicate{Rule::kNot, {other}}.holds(at_80));

  FilterTest t;
  auto config = t.filtered({std::make_shared<Wants>(3)});
  config->filters[0].disabled = std::make_shared<FilterPredicate>(any);
  t.start(config);
  const net::Fd client = t.connect(t.at);
  t.loop.turn();
  REQUIRE(t.all.size() == 1);
  CHECK(t.all[0]->by == "rest");
}

TEST_CASE("a filter that has no business with a connection is not waited for") {
  class Skips : public Wants {
   public:
    Skips() : Wants(3) {}
    bool skips(const filter::Accepted&, observability::StatsCells&) const override { return true; }
  };
  FilterTest t;
  t.start(t.filtered({std::make_shared<Skips>()}));
  const net::Fd client = t.connect(t.at);
  t.loop.turn();
  CHECK(t.all.size() == 1);
}

// Says where the connection was going to.
class GoingTo : public filter::ListenerFilter {
 public:
  explicit GoingTo(net::Address to) : to_(std::move(to)) {}
  size_t window() const override { return 0; }
  Result inspect(std::string_view, filter::Accepted& accepted, observability::StatsCells&) const override {
    accepted.local = to_;
    return {Verdict::kDone};
  }

 private:
  const net::Address to_;
};

TEST_CASE("a connection goes over to the listener of the address that it was going to") {
  FilterTest t;
  const net::Address exact = *net::Address::fromIp("10.0.0.5", 80), any = *net::Address::fromIp("0.0.0.0", 81);
  auto behind = [&](const std::string& name, const net::Address& address) {
    auto config = std::make_shared<ListenerConfig>();
    config->name = name;
    config->addresses = {address};
    config->bind = false;
    config->chains = {{name, 1, std::make_shared<Server>(name, t.all)}};
    config->stats = t.stats;
    config->limit = t.limit;
    // Its own filters run too, and it does not hand over again.
    config->filters.push_back({std::make_shared<Wants>(3), nullptr});
    config->use_original_dst = true;
    t.listeners->set(config, {}, 10s);
  };
  behind("exact", exact);
  behind("any", any);
  auto front = [&](const net::Address& to) {
    auto config = t.filtered({std::make_shared<GoingTo>(to)});
    config->use_original_dst = true;
    return config;
  };
  t.start(front(exact));
  auto serve = [&](const std::string& name) {
    const net::Fd client = t.connect(t.at);
    t.send(client, "xyz");
    REQUIRE_FALSE(t.all.empty());
    CHECK(t.all.back()->by == name);
  };
  serve("exact");
  CHECK(Server::last_local == exact);
  t.listeners->set(front(*net::Address::fromIp("10.9.9.9", 81)), {}, 10s);
  serve("any");
  base::SharedLimit none(0);
  t.limit = &none;
  behind("any", any);
  const net::Fd refused = t.connect(t.at);
  t.send(refused, "xyz");
  CHECK(t.closed(refused));
  CHECK(t.registry.valueOf("cx_overflow") == 1);
  t.listeners->set(front(*net::Address::fromIp("10.9.9.9", 82)), {}, 10s);
  serve("rest");
  t.listeners->remove("exact", 10s);
  t.listeners->set(front(exact), {}, 10s);
  serve("rest");
}

TEST_CASE("with other socket options an update takes new sockets, and serves the queue of the old ones") {
  ListenerTest t;
  net::Fd fd = *net::listenOn(*net::Address::fromIp("127.0.0.1", 0), {.reuse_port = true});
  const net::Address at = net::localAddress(fd.get());
  auto config = std::make_shared<ListenerConfig>();
  config->name = "l";
  config->addresses = {at};
  config->chains = {{"chain", 1, std::make_shared<Server>("one", t.all)}};
  config->stats = t.stats;
  auto next = std::make_shared<ListenerConfig>(*config);
  next->socket_hash = 5;
  std::vector<net::Fd> sockets;
  sockets.push_back(std::move(fd));
  t.listeners->set(config, std::move(sockets), 10s);
  const net::Fd waits = t.connect(at);
  sockets.clear();
  sockets.push_back(*net::listenOn(at, {.reuse_port = true}));
  t.listeners->set(next, std::move(sockets), 10s);
  CHECK(t.all.size() == 1);
  const net::Fd later = t.connect(at);
  CHECK(t.loop.until([&] { return t.all.size() == 2; }));
}

TEST_CASE("exact balance sends a connection to the worker with the fewest, and counts its end") {
  FilterTest t;
  auto balance = std::make_shared<Balance>(2);
  std::vector<std::function<void(WorkerListeners&)>> posted;
  balance->post = [&](size_t worker, std::function<void(WorkerListeners&)> work) {
    CHECK(worker == 1);
    posted.push_back(std::move(work));
  };
  worker::WorkerServices other_services = t.makeServices(1);
  WorkerListeners other(other_services);
  auto config = t.filtered({});
  config->balance = balance;
  t.start(config);
  std::vector<net::Fd> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(t.connect(t.at));
  t.loop.turn();
  CHECK(t.all.size() == 2);
  REQUIRE(posted.size() == 2);
  CHECK(balance->counts[0].connections == 2);
  CHECK(balance->counts[1].connections == 2);
  for (auto& work : posted) work(other);  // it does not have the listener yet
  CHECK(t.all.size() == 4);
  CHECK(other.connections() == 2);
  CHECK(balance->counts[1].connections == 2);
  posted.clear();
  other.closeAll();
  CHECK(balance->counts[1].connections == 0);
  while (!t.all.empty()) delete t.all[0];
  CHECK(balance->counts[0].connections == 0);
  // One that is not served is not counted on either.
  auto strict = t.filtered({});
  strict->default_chain.reset();
  strict->balance = balance;
  t.listeners->set(strict, {}, 10s);
  const net::Fd nobody = t.connect(t.at);
  t.loop.turn();
  CHECK(balance->counts[0].connections == 0);
}

TEST_CASE(
    "a listener may gain an address and lose one, whose queue is still "
    "served") {
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

TEST_CASE(
    "a listener that is removed serves its queue, then refuses; its "
    "connections drain") {
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

TEST_CASE("connections are asked to end while accepting goes on, those that come later with their first answer") {
  ListenerTest t;
  const net::Address at = t.address();
  t.set("l", {at}, "one", 1, {at});
  const net::Fd before = t.connect(at);
  t.loop.turn();

  t.listeners->askToEnd(AskToEnd::kAll);
  t.listeners->askToEnd(AskToEnd::kAll);
  const net::Fd meanwhile = t.connect(at);
  t.loop.turn();
  t.listeners->askToEnd(AskToEnd::kNone);
  const net::Fd after = t.connect(at);
  t.loop.turn();

  REQUIRE(t.all.size() == 3);
  CHECK(t.all[0]->drained == 1);
  CHECK(t.all[1]->drained == 0);
  CHECK(t.all[1]->to_drain == 1);
  CHECK(t.all[2]->to_drain == 0);
  t.loop.pass(60s);
  CHECK(t.all.size() == 3);
}

TEST_CASE("listeners of inbound traffic drain and ask alone") {
  ListenerTest t;
  const net::Address in = t.address(), out = t.address();
  t.set("out", {out}, "out", 1, {out});
  t.inbound = true;
  t.set("in", {in}, "in", 1, {in});
  const net::Fd from_out = t.connect(out), from_in = t.connect(in);
  t.loop.turn();
  REQUIRE(t.all.size() == 2);

  t.listeners->askToEnd(AskToEnd::kInbound);
  for (const Served* served : t.all) CHECK(served->drained == (served->by == "in" ? 1 : 0));

  t.listeners->drainAll(1s, true);
  CHECK(t.connect(out).valid());
  CHECK_FALSE(t.connect(in).valid());
  t.loop.pass(2s);
  REQUIRE(t.all.size() == 2);
  CHECK(t.all[0]->by == "out");
}

TEST_CASE("connections are counted while they last") {
  ListenerTest t;
  const filter::ConnectionStats stats{t.registry.gauge("active"), t.registry.counter("destroy")};
  t.stats.connections = std::make_shared<const filter::ConnectionStats>(stats);
  const net::Address at = t.address();
  t.set("l", {at}, "one", 1, {at});
  const net::Fd one = t.connect(at), two = t.connect(at);
  t.loop.turn();
  CHECK(t.registry.gaugeValue(stats.active) == 2);

  delete t.all[0];
  CHECK(t.registry.gaugeValue(stats.active) == 1);
  CHECK(t.registry.counterValue(stats.destroy) == 1);
  t.listeners.reset();
  CHECK(t.registry.gaugeValue(stats.active) == 0);
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
