// Connections: accepted, counted, limited, balanced, and served by the chain that fits, through updates.
#include "source/listener/test_listener.h"

namespace sluice::listener {
namespace {

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

}  // namespace
}  // namespace sluice::listener
