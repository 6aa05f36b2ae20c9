// Listener and route managers with real workers.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "source/server/listener_manager.h"
#include "source/server/route_manager.h"
#include "source/server/test_process.h"

using namespace std::chrono_literals;

namespace sluice::server {
namespace {

// --- routes ---

// From a source that is none, as in this file's tests.
ResourceKey of(const std::string& name) {
  return {"", name};
}

std::shared_ptr<const route::Table> table(std::string name) {
  route::TableSpec spec;
  spec.name = std::move(name);
  return *route::Table::build(std::move(spec));
}

struct RouteTest : Process {
  std::string at(uint32_t slot) {
    return onWorker<std::string>([slot](Worker& worker) {
      const auto pinned = worker.tables().get(slot);
      return pinned ? std::string(pinned->value->name()) : std::string("none");
    });
  }
  std::shared_ptr<const route::TableSlot> rds(const std::string& name) {
    config::ErrorList errors;
    return routes->rds(name, {}, init, config::Context(errors));
  }
  InitManager* init = nullptr;  // of what is being compiled
  std::unique_ptr<RouteManager> routes = std::make_unique<RouteManager>(*main, workers, stats, cells);
};

TEST_CASE("an inline table is in its slot until its last user is gone, then the slot is used again") {
  RouteTest t;
  auto slot = t.routes->inlineTable(table("a"));
  const uint32_t id = slot->id;
  CHECK(t.at(id) == "a");
  slot.reset();
  t.sync();
  CHECK(t.at(id) == "none");
  CHECK(t.routes->inlineTable(table("b"))->id == id);
}

TEST_CASE("all users of a name share a slot, filled when its table comes") {
  RouteTest t;
  std::vector<std::string> heard;
  t.routes->on_wanted = [&](const ResourceKey& key, const auto&) { heard.push_back("+" + key.name); };
  t.routes->on_unwanted = [&](const ResourceKey& key) { heard.push_back("-" + key.name); };
  auto one = t.rds("r"), two = t.rds("r");
  CHECK(one == two);
  CHECK_FALSE(t.routes->settled(of("r")));
  CHECK(t.at(one->id) == "none");
  t.routes->setTable(of("r"), table("first"));
  t.routes->setTable(of("other"), table("nobody's"));
  CHECK(t.routes->settled(of("r")));
  CHECK(t.at(one->id) == "first");
  t.routes->setTable(of("r"), table("second"));
  CHECK(t.at(one->id) == "second");
  const uint32_t id = one->id;
  one.reset();
  t.sync();
  CHECK(t.at(id) == "second");
  two.reset();
  t.sync();
  CHECK(t.at(id) == "none");
  CHECK(heard == std::vector<std::string>{"+r", "-r"});
}

TEST_CASE("what is compiled waits for tables that nothing is known of, until they come or are given up") {
  RouteTest t;
  t.routes->on_wanted = [](const ResourceKey&, const auto&) {};
  InitManager init(*t.main, t.logger, "test");
  t.init = &init;
  const auto r = t.rds("r"), again = t.rds("r"), q = t.rds("q");
  CHECK(init.waits() == "routes 'r', routes 'r', routes 'q'");
  t.routes->setTable(of("r"), table("first"));
  CHECK(init.waits() == "routes 'q'");
  t.routes->giveUp(of("q"));
  CHECK(init.waits().empty());
  InitManager late(*t.main, t.logger, "test");
  t.init = &late;
  const auto known = t.rds("r"), absent = t.rds("q");
  CHECK(late.waits().empty());
}

TEST_CASE("what was refused while it was compiled leaves no wait behind") {
  RouteTest t;
  t.routes->on_wanted = [](const ResourceKey&, const auto&) {};
  std::shared_ptr<const route::TableSlot> slot;
  for (int i = 0; i < 3; ++i) {
    InitManager refused(*t.main, t.logger, "test");
    t.init = &refused;
    slot = t.rds("r");
  }
  t.routes->setTable(of("r"), table("first"));
  CHECK(t.routes->settled(of("r")));
}

TEST_CASE("a name that is wanted again while its old slot is given back keeps the new one") {
  RouteTest t;
  int wanted = 0, unwanted = 0;
  t.routes->on_wanted = [&](const ResourceKey&, const auto&) { ++wanted; };
  t.routes->on_unwanted = [&](const ResourceKey&) { ++unwanted; };
  auto slot = t.rds("r");
  slot.reset();  // posted, not done yet
  slot = t.rds("r");
  t.routes->setTable(of("r"), table("a"));
  t.sync();
  t.sync();
  CHECK(t.at(slot->id) == "a");
  CHECK(unwanted == 0);
}

TEST_CASE("a name that is wanted again while its old slot is given back has the table that is known") {
  RouteTest t;
  int wanted = 0, unwanted = 0;
  t.routes->on_wanted = [&](const ResourceKey&, const auto&) { ++wanted; };
  t.routes->on_unwanted = [&](const ResourceKey&) { ++unwanted; };
  auto slot = t.rds("r");
  t.routes->setTable(of("r"), table("a"));
  slot.reset();  // posted, not done yet
  slot = t.rds("r");
  CHECK(t.routes->settled(of("r")));
  t.sync();
  t.sync();
  CHECK(t.at(slot->id) == "a");
  CHECK(wanted == 1);
  CHECK(unwanted == 0);
  t.routes->setTable(of("r"), table("b"));
  CHECK(t.at(slot->id) == "b");
}

TEST_CASE("the same table's name from two sources is two tables") {
  RouteTest t;
  std::vector<ResourceKey> wanted;
  t.routes->on_wanted = [&](const ResourceKey& key, const auto&) { wanted.push_back(key); };
  const auto from = [&](const std::string& path) {
    RouteManager::Source source;
    source.mutable_path_config_source()->set_path(path);
    config::ErrorList errors;
    return t.routes->rds("r", source, nullptr, config::Context(errors));
  };
  const auto one = from("one"), two = from("two");
  CHECK(from("one") == one);
  REQUIRE(wanted.size() == 2);
  t.routes->setTable(wanted[0], table("first"));
  CHECK(t.routes->settled(wanted[0]));
  CHECK_FALSE(t.routes->settled(wanted[1]));
  t.routes->setTable(wanted[1], table("second"));
  CHECK(t.at(one->id) == "first");
  CHECK(t.at(two->id) == "second");
}

TEST_CASE("settings for a filter that no chain of a table has are told once") {
  RouteTest t;
  t.routes->on_wanted = [](const ResourceKey&, const auto&) {};
  std::vector<std::string> told;
  t.routes->on_unknown_filter = [&](const ResourceKey& key, const std::string& filter) {
    told.push_back(key.name + " " + filter);
  };
  config::ChainFilters both{{"auth", nullptr}, {"limit", nullptr}}, fewer{{"limit", nullptr}};
  auto slot = t.routes->usedBy(t.rds("r"), fewer, "h");
  t.routes->setTable(of("r"), table("a"), {"auth", "limit"});
  t.routes->setTable(of("r"), table("b"), {"auth", "limit"});
  CHECK(told == std::vector<std::string>{"r auth"});
  const auto other = t.routes->usedBy(t.rds("r"), both, "h");
  CHECK(other == slot);
  t.routes->setTable(of("r"), table("c"), {"auth", "limit", "typo"});
  CHECK(told == std::vector<std::string>{"r auth", "r typo"});
  const auto late = t.routes->usedBy(t.rds("q"), fewer, "h");
  t.routes->setTable(of("q"), table("q"), {"limit"});
  CHECK(told.size() == 2);
}

TEST_CASE("without an xDS client a table by name is an error") {
  RouteTest t;
  CHECK(t.rds("r") == nullptr);
}

TEST_CASE("slots may outlive their manager") {
  RouteTest t;
  auto slot = t.routes->inlineTable(table("a"));
  t.routes.reset();
  slot.reset();
  t.sync();
}

// --- listeners ---

// Gives what another process has made: sockets that listen already, one for each worker of its.
struct PreparedSockets : net::SocketSource {
  absl::StatusOr<net::TakenSocket> take(const net::SocketRequest& request) override {
    asked.push_back(request.address.toString() + " for " + std::to_string(request.worker));
    const auto known = sockets.find({request.address, request.worker});
    if (known == sockets.end()) return absl::NotFoundError("nobody has prepared " + request.address.toString());
    net::TakenSocket taken{std::move(known->second), true};
    sockets.erase(known);
    return taken;
  }

  std::map<std::pair<net::Address, size_t>, net::Fd> sockets;
  std::vector<std::string> asked;
};

struct ListenerTest : Process {
  explicit ListenerTest(uint32_t workers = 1, bool from_elsewhere = false)
      : Process(workers), sockets(from_elsewhere ? static_cast<net::SocketSource&>(prepared) : opened) {
    routes.on_wanted = [](const ResourceKey&, const auto&) {};
    listeners.boot = &boot;
  }
  absl::Status set(const std::string& name, const net::Address& at, const std::string& generation,
                   std::vector<ResourceKey> waits_for = {}, bool is_static = false) {
    config::CompiledListener compiled;
    compiled.name = name;
    compiled.addresses = {at};
    compiled.backlog = 100;
    compiled.stat_name = stat_name.value_or(name);
    compiled.reuse_port = reuse_port;
    compiled.socket_hash = socket_hash;
    compiled.content_hash = std::hash<std::string>()(generation + at.toString());
    compiled.chains = {{"", compiled.content_hash, std::make_shared<Greeter>(generation)}};
    std::unique_ptr<InitManager> init = listeners.newInit(name);
    config::ErrorList errors;
    for (const ResourceKey& key : waits_for) routes.rds(key.name, {}, init.get(), config::Context(errors));
    if (while_compiling) while_compiling(*init);
    return listeners.set(std::move(compiled), {}, std::move(init), is_static, generation);
  }
  // Whether every listener has a generation that serves.
  bool allServing() const { return boot.waits().empty(); }
  net::Address boundOf(const std::string& name) { return listeners.entries().at(name).active->bound.at(0); }

  bool reuse_port = true;
  std::optional<std::string> stat_name;
  uint64_t socket_hash = 0;
  const net::Address any = *net::Address::fromIp("127.0.0.1", 0);
  RouteManager routes{*main, workers, stats, cells};
  listener::ConnectionLimits limits;
  net::OpenedSockets opened;
  PreparedSockets prepared;
  net::SocketSource& sockets;
  std::function<void(InitManager&)> while_compiling;
  std::vector<std::string> lines;
  observability::Logger log{observability::LogLevel::kInfo,
                            [this](std::string_view line) { lines.emplace_back(line); }};
  ListenerManager listeners{*main, workers, sockets, stats, cells, log, 1000ms, limits};
  InitManager boot{*main, logger, "the test"};
};

TEST_CASE("nothing is accepted before the process says so") {
  ListenerTest t(GENERATE(1, 3));
  REQUIRE(t.set("l", t.any, "one").ok());
  CHECK_FALSE(t.allServing());
  t.listeners.startAccepting();
  CHECK(t.allServing());
  for (int i = 0; i < 10; ++i) CHECK(t.ask(t.boundOf("l")) == "one");
}

TEST_CASE("an update keeps the address, also one that the kernel chose") {
  ListenerTest t(GENERATE(1, 3));
  t.listeners.startAccepting();
  REQUIRE(t.set("l", t.any, "one").ok());
  const net::Address bound = t.boundOf("l");
  REQUIRE(t.set("l", t.any, "two").ok());
  CHECK(t.boundOf("l") == bound);
  CHECK(t.ask(bound) == "two");
  const net::Address elsewhere = unixAddress();
  REQUIRE(t.set("l", elsewhere, "three").ok());
  for (int i = 0; i < 5; ++i) CHECK(t.ask(elsewhere) == "three");
  CHECK(t.ask(bound) == "refused");
}

TEST_CASE("updates that bring ever new names of stats leave as many as there were") {
  ListenerTest t;
  t.listeners.startAccepting();
  const net::Address at = unixAddress();
  const auto update = [&](int i) {
    t.stat_name = "p" + std::to_string(i);
    return t.set("l", at, std::to_string(i)).ok();
  };
  REQUIRE(update(0));
  t.sync();
  const size_t before = t.stats.size();
  for (int i = 1; i <= 1000; ++i) REQUIRE(update(i));
  CHECK(t.ask(at) == "1000");
  t.sync();
  CHECK(t.stats.size() == before);
}

TEST_CASE("a socket that cannot be bound twice cannot be made otherwise while it serves") {
  ListenerTest t(GENERATE(1, 3));
  t.listeners.startAccepting();
  const bool abstract = GENERATE(true, false);
  t.reuse_port = abstract;
  const net::Address at = abstract ? unixAddress() : t.any;
  REQUIRE(t.set("l", at, "one").ok());
  const net::Address bound = t.boundOf("l");
  t.socket_hash = 1;
  const absl::Status changed = t.set("l", at, "two");
  CHECK(changed.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(std::string(changed.message()).find("remove the listener first") != std::string::npos);
  CHECK(t.ask(bound) == "one");
  t.socket_hash = 0;
  REQUIRE(t.set("l", at, "three").ok());
  CHECK(t.ask(bound) == "three");
}

TEST_CASE("an address that another has is refused, and what serves goes on") {
  ListenerTest t(GENERATE(1, 3));
  t.listeners.startAccepting();
  REQUIRE(t.set("l", t.any, "one").ok());
  const net::Address bound = t.boundOf("l");
  const absl::Status ours = t.set("other", bound, "two");
  CHECK(ours.code() == absl::StatusCode::kAlreadyExists);
  CHECK(std::string(ours.message()).find("belongs to listener 'l'") != std::string::npos);
  const net::Fd foreign = *net::listenOn(t.any, {});
  CHECK(t.set("l", net::localAddress(foreign.get()), "three").code() == absl::StatusCode::kAlreadyExists);
  CHECK(t.ask(bound) == "one");
  CHECK(t.stats.valueOf("listener_manager.listener_create_failure") == 2);
}

TEST_CASE("what came of a table is told under each prefix that uses it, and goes with the last user of that") {
  RouteTest t;
  t.routes->on_wanted = [](const ResourceKey&, const auto&) {};
  const auto told = [&t](const std::string& name, const std::string& prefix = "h") {
    return t.stats.valueOf("http." + prefix + ".rds.r." + name).value_or(-1);
  };
  auto slot = t.routes->usedBy(t.rds("r"), {}, "h");
  auto same = t.routes->usedBy(t.rds("r"), {}, "h");
  CHECK(told("update_attempt") == 1);
  t.routes->setTable(of("r"), table("r"), {}, "1");
  t.routes->forEachDiscovery("", "", [](DiscoveryStats& stats) { stats.failed(3); });
  t.routes->forEachDiscovery("", "q", [](DiscoveryStats& stats) { stats.rejected(); });
  t.routes->forEachDiscovery("elsewhere", "", [](DiscoveryStats& stats) { stats.rejected(); });
  CHECK(told("update_success") == 1);
  CHECK(told("config_reload") == 1);
  CHECK(told("update_failure") == 3);
  CHECK(told("update_rejected") == 0);
  CHECK(told("update_attempt") == 5);
  const auto late = t.routes->usedBy(t.rds("r"), {}, "late");
  CHECK(told("update_success", "late") == 1);
  CHECK(told("update_failure", "late") == 0);
  CHECK(told("version", "late") == told("version"));
  slot.reset();
  CHECK(told("update_attempt") == 5);
  same.reset();
  CHECK(told("update_attempt") == -1);
  CHECK(told("update_attempt", "late") == 2);
}

TEST_CASE("an update waits for its routes while the old one serves") {
  ListenerTest t;
  t.listeners.startAccepting();
  REQUIRE(t.set("l", t.any, "one").ok());
  const net::Address bound = t.boundOf("l");
  config::ErrorList errors;
  const auto slot = t.routes.rds("r", {}, nullptr, config::Context(errors));
  const net::Address next = unixAddress();
  REQUIRE(t.set("l", next, "two", {of("r")}).ok());
  CHECK(t.ask(bound) == "one");
  CHECK(t.stats.valueOf("listener_manager.total_listeners_active") == 1);
  CHECK(t.stats.valueOf("listener_manager.total_listeners_warming") == 1);
  SECTION("they come") {
    t.routes.setTable(of("r"), table("r"));
  }
  SECTION("they do not come") {
    t.routes.giveUp(of("r"));
  }
  SECTION("it is refused a change first") {
    const net::Fd foreign = *net::listenOn(t.any, {});
    CHECK_FALSE(t.set("l", net::localAddress(foreign.get()), "bad", {of("r")}).ok());
    t.routes.setTable(of("r"), table("r"));
  }
  SECTION("it is changed again first") {
    REQUIRE(t.set("l", next, "two and a half", {of("r")}).ok());
    t.routes.setTable(of("r"), table("r"));
    CHECK(t.ask(next) == "two and a half");
    REQUIRE(t.set("l", next, "two").ok());
  }
  CHECK(t.ask(next) == "two");
  CHECK(t.ask(bound) == "refused");
}

TEST_CASE("a listener that is not warm takes nobody") {
  ListenerTest t(GENERATE(1, 3));
  t.reuse_port = GENERATE(true, false);
  t.listeners.startAccepting();
  config::ErrorList errors;
  const auto slot = t.routes.rds("r", {}, nullptr, config::Context(errors));
  const bool abstract = GENERATE(true, false);
  net::Address at = unixAddress();
  if (!abstract) {
    const net::Fd probe = *net::listenOn(t.any, {});
    at = net::localAddress(probe.get());
  }
  REQUIRE(t.set("l", at, "one", {of("r")}).ok());
  CHECK(t.ask(at) == "refused");
  t.routes.setTable(of("r"), table("r"));
  for (int i = 0; i < 5; ++i) CHECK(t.ask(at) == "one");
}

// Linux lets two bind, with SO_REUSEADDR, where none of them listens; the first to listen has the address.
TEST_CASE("an address that another process takes while its listener warms is told, and what serves goes on") {
  ListenerTest t(GENERATE(1, 3));
  t.reuse_port = GENERATE(true, false);
  t.listeners.startAccepting();
  config::ErrorList errors;
  const auto slot = t.routes.rds("r", {}, nullptr, config::Context(errors));
  REQUIRE(t.set("l", t.any, "one").ok());
  const net::Address bound = t.boundOf("l");
  net::Address at;
  {
    const net::Fd probe = *net::listenOn(t.any, {});
    at = net::localAddress(probe.get());
  }
  REQUIRE(t.set("l", at, "two", {of("r")}).ok());
  REQUIRE(t.set("new", t.any, "new", {of("r")}).ok());
  const net::Fd foreign = *net::listenOn(at, {});
  t.routes.setTable(of("r"), table("r"));
  CHECK(t.stats.valueOf("listener_manager.listener_create_failure") == 1);
  CHECK(t.allServing());
  CHECK(t.ask(bound) == "one");
  CHECK(t.ask(t.boundOf("new")) == "new");
  REQUIRE(t.set("l", t.any, "three").ok());
  CHECK(t.ask(bound) == "three");
}

// --- init targets ---

TEST_CASE("a listener waits for whatever was added while it was compiled, and serves when that is there") {
  ListenerTest t(GENERATE(1, 3));
  t.listeners.startAccepting();
  config::InitTarget keys;
  t.while_compiling = [&](InitManager& init) { keys = init.add("keys of 'x'", 60s); };
  const net::Address at = unixAddress();
  REQUIRE(t.set("l", at, "one").ok());
  CHECK(t.ask(at) == "refused");
  CHECK(t.boot.waits() == "listener 'l' (keys of 'x')");
  REQUIRE(t.lines.size() == 1);
  CHECK(t.lines[0].find("listener 'l' waits for keys of 'x'") != std::string::npos);
  keys.ready();
  CHECK(t.ask(at) == "one");
  CHECK(t.allServing());
}

TEST_CASE("a listener whose target does not come within its deadline serves then, and the log names it") {
  ListenerTest t;
  t.listeners.startAccepting();
  config::InitTarget keys;
  t.while_compiling = [&](InitManager& init) { keys = init.add("keys of 'x'", 20ms); };
  const net::Address at = unixAddress();
  REQUIRE(t.set("l", at, "one").ok());
  CHECK(t.boot.waits() == "listener 'l' (keys of 'x')");
  t.boot.start([&] { t.main->stop(); });
  t.main->run();
  CHECK(t.ask(at) == "one");
  CHECK(std::any_of(t.lines.begin(), t.lines.end(), [](const std::string& line) {
    return line.find("listener 'l' waits no longer for keys of 'x', which did not come within 20 ms") !=
           std::string::npos;
  }));
}

TEST_CASE("targets that are ready before the process accepts do not make a listener accept") {
  ListenerTest t;
  config::InitTarget keys;
  t.while_compiling = [&](InitManager& init) { keys = init.add("keys of 'x'"); };
  const net::Address at = unixAddress();
  REQUIRE(t.set("l", at, "one").ok());
  keys.ready();
  CHECK(t.ask(at) == "refused");
  t.listeners.startAccepting();
  CHECK(t.ask(at) == "one");
}

TEST_CASE("the targets of a generation that was replaced or removed while it waited hold nobody up") {
  ListenerTest t;
  t.listeners.startAccepting();
  config::InitTarget keys;
  t.while_compiling = [&](InitManager& init) { keys = init.add("keys of 'x'"); };
  const net::Address at = unixAddress();
  REQUIRE(t.set("l", at, "one").ok());
  t.while_compiling = nullptr;
  SECTION("replaced") {
    REQUIRE(t.set("l", at, "two").ok());
    CHECK(t.ask(at) == "two");
  }
  SECTION("removed") {
    t.listeners.remove("l");
    CHECK(t.ask(at) == "refused");
  }
  CHECK(t.allServing());
  CHECK_FALSE(keys.pending());
  keys.ready();
  t.sync();
}

// --- sockets from elsewhere ---

TEST_CASE("a listener takes sockets that were prepared for it, with what waits in their queues") {
  const uint32_t workers = GENERATE(1, 3);
  ListenerTest t(workers, true);
  t.listeners.startAccepting();
  const net::ListenOptions shared{.reuse_port = true};
  net::Fd first = *net::listenOn(t.any, shared);
  const net::Address at = net::localAddress(first.get());
  t.prepared.sockets[{at, 0}] = std::move(first);
  for (size_t i = 1; i < workers; ++i) t.prepared.sockets[{at, i}] = *net::listenOn(at, shared);
  const net::Fd early(socket(at.socketFamily(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(connect(early.get(), at.sockaddrPointer(), at.sockaddrLength()) == 0);
  REQUIRE(t.set("l", at, "one").ok());
  CHECK(t.prepared.asked.size() == workers);
  CHECK(t.prepared.sockets.empty());
  t.sync();
  char text[8];
  CHECK(recv(early.get(), text, sizeof(text), 0) == 3);
  for (int i = 0; i < 5; ++i) CHECK(t.ask(at) == "one");
}

// Gives back what comes.
class EchoService : public filter::UdpService {
 public:
  void onDatagrams(filter::UdpPort& port, std::span<const net::Datagram> datagrams) override {
    for (const net::Datagram& one : datagrams) {
      const std::string_view payload = one.payload;
      port.send(one.peer, one.local, {&payload, 1});
    }
  }
  void onReadError() override {}
  bool update(const filter::UdpFilter&, std::chrono::milliseconds) override { return true; }
  void drain(const filter::UdpPort*, std::chrono::milliseconds) override {}
  size_t sessions() const override { return 0; }
};
struct EchoFilter : filter::UdpFilter {
  std::unique_ptr<filter::UdpService> serve(worker::WorkerServices&) const override {
    return std::make_unique<EchoService>();
  }
};

TEST_CASE("a listener of UDP takes sockets that were prepared for it, with what waits in their queues") {
  ListenerTest t(1, true);
  t.listeners.startAccepting();
  net::Fd prepared = *net::listenOn(t.any, {.datagram = true});
  const net::Address at = net::localAddress(prepared.get());
  t.prepared.sockets[{at, 0}] = std::move(prepared);
  const net::Fd client = *net::connectDatagram(at);
  REQUIRE(send(client.get(), "early", 5, 0) == 5);
  config::CompiledListener compiled;
  compiled.name = compiled.stat_name = "u";
  compiled.addresses = {at};
  compiled.content_hash = 1;
  compiled.udp.filter = std::make_shared<EchoFilter>();
  REQUIRE(t.listeners.set(std::move(compiled), {}, nullptr, false, "1").ok());
  t.sync();
  const timeval limit{10, 0};
  setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  const int flags = fcntl(client.get(), F_GETFL);
  fcntl(client.get(), F_SETFL, flags & ~O_NONBLOCK);
  char text[16];
  CHECK(recv(client.get(), text, sizeof(text), 0) == 5);
}

TEST_CASE("workers that share a socket take one from the source") {
  ListenerTest t(3, true);
  t.listeners.startAccepting();
  const net::Address at = unixAddress();
  t.prepared.sockets[{at, 0}] = *net::listenOn(at, {});
  REQUIRE(t.set("l", at, "one").ok());
  CHECK(t.prepared.asked == std::vector<std::string>{at.toString() + " for 0"});
  for (int i = 0; i < 5; ++i) CHECK(t.ask(at) == "one");
}

TEST_CASE("a listener whose source has no socket is refused with the source's reason") {
  ListenerTest t(1, true);
  t.listeners.startAccepting();
  const net::Address at = unixAddress();
  const absl::Status refused = t.set("l", at, "one");
  CHECK(refused.code() == absl::StatusCode::kNotFound);
  CHECK(std::string(refused.message()) == "listener 'l': nobody has prepared " + at.toString());
  CHECK(t.stats.valueOf("listener_manager.listener_create_failure") == 1);
}

TEST_CASE("a listener that is removed stops accepting, a static one cannot be") {
  ListenerTest t;
  t.listeners.startAccepting();
  const net::Address fixed = unixAddress(), other = unixAddress();
  REQUIRE(t.set("fixed", fixed, "fixed", {}, true).ok());
  REQUIRE(t.set("other", other, "other").ok());
  CHECK_FALSE(t.set("fixed", fixed, "changed").ok());
  t.listeners.remove("fixed");
  t.listeners.remove("other");
  CHECK(t.ask(fixed) == "fixed");
  CHECK(t.ask(other) == "refused");
  REQUIRE(t.set("other", other, "again").ok());
  CHECK(t.ask(other) == "again");
  t.listeners.drainAll();
  CHECK(t.ask(fixed) == "refused");
  CHECK_FALSE(t.set("late", t.any, "late").ok());
}

TEST_CASE("an address can move from a removed listener to another one at once") {
  ListenerTest t(GENERATE(1, 3));
  t.listeners.startAccepting();
  REQUIRE(t.set("old", t.any, "old").ok());
  const net::Address bound = t.boundOf("old");
  CHECK(t.ask(bound) == "old");

  t.listeners.remove("old");
  REQUIRE(t.set("new", bound, "new").ok());

  for (int i = 0; i < 5; ++i) CHECK(t.ask(bound) == "new");
}

}  // namespace
}  // namespace sluice::server
