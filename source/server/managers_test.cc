// Cluster, listener and route managers with one real worker.
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <random>

#include "source/server/cluster_manager.h"
#include "source/server/listener_manager.h"
#include "source/server/route_manager.h"

using namespace std::chrono_literals;

namespace sluice::server {
namespace {

namespace cluster = upstream::cluster;

struct Process {
  explicit Process(uint32_t count = 1) {
    for (uint32_t i = 0; i < count; ++i) {
      workers.add(
          std::make_unique<Worker>(i, stats.makeCells(), log_files, i, [](std::shared_ptr<const route::Table>) {}));
    }
    workers.start();
  }
  ~Process() { workers.stop(); }
  // Until the workers have done what was posted, and main what they posted back.
  void sync() {
    workers.postAll(
        *main, [](Worker&) {}, [this] { main->stop(); });
    main->run();
  }
  template <typename T>
  T onWorker(std::function<T(Worker&)> look, uint32_t index = 0) {
    T out{};
    workers.postAll(
        *main,
        [&](Worker& worker) {
          if (worker.index() == index) out = look(worker);
        },
        [this] { main->stop(); });
    main->run();
    return out;
  }
  void runFor(std::chrono::milliseconds time) {
    event::Timer end(main->timers(), [this] { main->stop(); });
    end.arm(time);
    main->run();
  }

  std::unique_ptr<event::Loop> main = event::makeLoop();
  observability::StatsRegistry stats;
  observability::StatsCells& cells = stats.makeCells();
  observability::LogFiles log_files{stats};
  observability::Logger logger{observability::LogLevel::kOff};
  Workers workers;
};

// --- routes ---

std::shared_ptr<const route::Table> table(std::string name) {
  route::TableSpec spec;
  spec.name = std::move(name);
  return *route::Table::build(std::move(spec));
}

struct RouteTest : Process {
  std::string at(uint32_t slot) {
    return onWorker<std::string>([slot](Worker& worker) {
      const auto pinned = worker.tables().get(slot);
      return pinned ? std::string(pinned->table->name()) : std::string("none");
    });
  }
  std::shared_ptr<const route::TableSlot> rds(const std::string& name) {
    config::ErrorList errors;
    return routes->rds(name, {}, config::Context(errors));
  }
  std::unique_ptr<RouteManager> routes = std::make_unique<RouteManager>(*main, workers);
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
  t.routes->on_wanted = [&](const std::string& name, const auto&) { heard.push_back("+" + name); };
  t.routes->on_unwanted = [&](const std::string& name) { heard.push_back("-" + name); };
  t.routes->on_filled = [&](const std::string& name) { heard.push_back("=" + name); };
  auto one = t.rds("r"), two = t.rds("r");
  CHECK(one == two);
  CHECK_FALSE(t.routes->settled("r"));
  CHECK(t.at(one->id) == "none");
  t.routes->setTable("r", table("first"));
  t.routes->setTable("other", table("nobody's"));
  CHECK(t.routes->settled("r"));
  CHECK(t.at(one->id) == "first");
  t.routes->setTable("r", table("second"));
  CHECK(t.at(one->id) == "second");
  const uint32_t id = one->id;
  one.reset();
  t.sync();
  CHECK(t.at(id) == "second");
  two.reset();
  t.sync();
  CHECK(t.at(id) == "none");
  CHECK(heard == std::vector<std::string>{"+r", "=r", "=r", "-r"});
}

TEST_CASE("a name that is wanted again while its old slot is given back keeps the new one") {
  RouteTest t;
  int wanted = 0, unwanted = 0;
  t.routes->on_wanted = [&](const std::string&, const auto&) { ++wanted; };
  t.routes->on_unwanted = [&](const std::string&) { ++unwanted; };
  auto slot = t.rds("r");
  slot.reset();  // posted, not done yet
  slot = t.rds("r");
  t.routes->setTable("r", table("a"));
  t.sync();
  t.sync();
  CHECK(t.at(slot->id) == "a");
  CHECK(unwanted == 0);
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

// --- clusters ---

struct ClusterTest : Process {
  std::shared_ptr<cluster::ClusterConfig> config(const std::string& name, cluster::DiscoveryType type, uint64_t hash) {
    auto out = std::make_shared<cluster::ClusterConfig>();
    out->name = out->stat_name = out->eds_service_name = name;
    out->discovery = type;
    out->content_hash = hash;
    if (type == cluster::DiscoveryType::kStatic) out->assignment = hosts(1);
    return out;
  }
  static cluster::Assignment hosts(int count) {
    cluster::Assignment out;
    auto& locality = out.localities.emplace_back();
    for (int i = 0; i < count; ++i) {
      locality.endpoints.emplace_back().address = *net::Address::fromIp("10.0.0.1", static_cast<uint16_t>(i + 1));
    }
    return out;
  }
  static ClusterManager::Proto eds(int milliseconds) {
    ClusterManager::Proto proto;
    auto* timeout = proto.mutable_eds_cluster_config()->mutable_eds_config()->mutable_initial_fetch_timeout();
    timeout->set_seconds(milliseconds / 1000);
    timeout->set_nanos(milliseconds % 1000 * 1'000'000);
    return proto;
  }
  // -1: the worker does not know it.
  int onWorkerHosts(const std::string& name) {
    const auto id = names.find(name);
    return onWorker<int>([id](Worker& worker) {
      const auto found = worker.clusters().find(id);
      return found ? static_cast<int>(found->balancer().hosts().hostCount()) : -1;
    });
  }
  route::ClusterNames names;
  std::unique_ptr<net::DnsResolver> resolver = net::makeDnsResolver(*main);
  ClusterManager clusters{*main, workers, stats, cells, names, *resolver, logger, 1};
};

TEST_CASE("a static cluster serves at once, and only static configuration may change it") {
  ClusterTest t;
  int warm = 0;
  t.clusters.on_warm = [&] { ++warm; };
  CHECK(t.clusters.set(t.config("c", cluster::DiscoveryType::kStatic, 1), {}, true, ""));
  CHECK(warm == 1);
  CHECK(t.clusters.allWarm());
  CHECK(t.onWorkerHosts("c") == 1);
  CHECK_FALSE(t.clusters.set(t.config("c", cluster::DiscoveryType::kStatic, 2), {}, false, "v"));
  t.clusters.remove("c");
  CHECK(t.onWorkerHosts("c") == 1);
}

TEST_CASE("a cluster with endpoints by name is not seen before it has them") {
  ClusterTest t;
  std::vector<std::string> interest;
  t.clusters.on_eds_wanted = [&](const std::string& name, const auto&) { interest.push_back("+" + name); };
  t.clusters.on_eds_unwanted = [&](const std::string& name) { interest.push_back("-" + name); };
  t.clusters.set(t.config("c", cluster::DiscoveryType::kEds, 1), ClusterTest::eds(60'000), false, "1");
  CHECK_FALSE(t.clusters.allWarm());
  CHECK(t.onWorkerHosts("c") == -1);
  t.clusters.setAssignment("c", ClusterTest::hosts(2));
  CHECK(t.clusters.allWarm());
  CHECK(t.onWorkerHosts("c") == 2);

  SECTION("endpoints change") {
    t.clusters.setAssignment("c", ClusterTest::hosts(5));
    CHECK(t.onWorkerHosts("c") == 5);
    t.clusters.setAssignment("other", ClusterTest::hosts(9));
    CHECK(t.onWorkerHosts("c") == 5);
  }
  SECTION("a changed configuration takes the endpoints that are known") {
    t.clusters.set(t.config("c", cluster::DiscoveryType::kEds, 2), ClusterTest::eds(60'000), false, "2");
    CHECK(t.clusters.find("c")->active->version == "2");
    CHECK(t.onWorkerHosts("c") == 2);
  }
  SECTION("an unchanged one is left alone") {
    const auto* before = t.clusters.find("c")->active.get();
    t.clusters.set(t.config("c", cluster::DiscoveryType::kEds, 1), ClusterTest::eds(60'000), false, "2");
    CHECK(t.clusters.find("c")->active.get() == before);
    CHECK(before->version == "2");
  }
  t.clusters.remove("c");
  CHECK(t.onWorkerHosts("c") == -1);
  CHECK(interest == std::vector<std::string>{"+c", "-c"});
  CHECK(t.clusters.entries().empty());
}

TEST_CASE("a changed cluster serves as before until the new one is warm; going back needs nothing") {
  ClusterTest t;
  t.clusters.set(t.config("c", cluster::DiscoveryType::kStatic, 1), {}, false, "1");
  t.clusters.set(t.config("c", cluster::DiscoveryType::kEds, 2), ClusterTest::eds(60'000), false, "2");
  CHECK(t.clusters.find("c")->warming != nullptr);
  CHECK(t.onWorkerHosts("c") == 1);
  SECTION("endpoints come") {
    t.clusters.setAssignment("c", ClusterTest::hosts(3));
    CHECK(t.onWorkerHosts("c") == 3);
    CHECK(t.clusters.find("c")->active->version == "2");
  }
  SECTION("it goes back") {
    t.clusters.set(t.config("c", cluster::DiscoveryType::kStatic, 1), {}, false, "3");
    CHECK(t.clusters.find("c")->warming == nullptr);
    CHECK(t.clusters.find("c")->active->version == "3");
    t.clusters.setAssignment("c", ClusterTest::hosts(3));
    CHECK(t.onWorkerHosts("c") == 1);
  }
  SECTION("it is removed meanwhile") {
    t.clusters.remove("c");
    t.clusters.setAssignment("c", ClusterTest::hosts(3));
    CHECK(t.onWorkerHosts("c") == -1);
  }
}

TEST_CASE("a cluster whose endpoints do not come in time goes on without") {
  ClusterTest t;
  t.clusters.set(t.config("c", cluster::DiscoveryType::kEds, 1), ClusterTest::eds(10), false, "1");
  t.clusters.on_warm = [&] { t.main->stop(); };
  t.main->run();
  CHECK(t.clusters.allWarm());
  CHECK(t.onWorkerHosts("c") == 0);
}

TEST_CASE("what is in flight stays counted when a cluster's limits change") {
  ClusterTest t;
  t.clusters.set(t.config("c", cluster::DiscoveryType::kStatic, 1), {}, false, "1");
  const auto breakers = t.clusters.find("c")->breakers;
  REQUIRE(breakers->tryAcquire(cluster::Resource::kRequests, cluster::RoutingPriority::kDefault));
  auto next = t.config("c", cluster::DiscoveryType::kStatic, 2);
  next->thresholds[0].max_requests = 1;
  t.clusters.set(next, {}, false, "2");
  CHECK(t.clusters.find("c")->breakers == breakers);
  CHECK_FALSE(breakers->tryAcquire(cluster::Resource::kRequests, cluster::RoutingPriority::kDefault));
}

// --- listeners ---

// Answers each connection with the name of its generation.
class Greeter : public filter::TerminalNetworkFilter {
 public:
  explicit Greeter(std::string text) : text_(std::move(text)) {}
  void serve(filter::Accepted accepted, filter::NetworkServices&, base::List<filter::LiveConnection>&) const override {
    [[maybe_unused]] const ssize_t n = write(accepted.fd.get(), text_.data(), text_.size());
  }

 private:
  std::string text_;
};

struct ListenerTest : Process {
  explicit ListenerTest(uint32_t workers = 1) : Process(workers) {
    routes.on_wanted = [](const std::string&, const auto&) {};
  }
  absl::Status set(const std::string& name, const net::Address& at, const std::string& generation,
                   std::vector<std::string> waits_for = {}, bool is_static = false) {
    config::CompiledListener compiled;
    compiled.name = name;
    compiled.addresses = {at};
    compiled.backlog = 100;
    compiled.stat_name = name;
    compiled.reuse_port = reuse_port;
    compiled.socket_hash = socket_hash;
    compiled.content_hash = std::hash<std::string>()(generation + at.toString());
    compiled.chains = {{"", compiled.content_hash, std::make_shared<Greeter>(generation)}};
    return listeners.set(std::move(compiled), {}, std::move(waits_for), is_static, generation);
  }
  net::Address unixAddress() {
    static int count = 0;
    return *net::Address::fromUnixPath("@sluice-managers-" + std::to_string(std::random_device()()) + "-" +
                                       std::to_string(++count));
  }
  // Which generation serves there: "refused" if none. Waits for the answer.
  std::string ask(const net::Address& at) {
    sync();
    const net::Fd fd(socket(at.socketFamily(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(fd.get(), at.sockaddrPointer(), at.sockaddrLength()) != 0) return "refused";
    char text[64];
    const ssize_t n = recv(fd.get(), text, sizeof(text), 0);
    return n <= 0 ? "closed" : std::string(text, n);
  }
  net::Address boundOf(const std::string& name) { return listeners.entries().at(name).active->bound.at(0); }

  bool reuse_port = true;
  uint64_t socket_hash = 0;
  const net::Address any = *net::Address::fromIp("127.0.0.1", 0);
  RouteManager routes{*main, workers};
  listener::ConnectionLimits limits;
  ListenerManager listeners{*main, workers, routes, stats, cells, logger, 1000ms, limits};
};

TEST_CASE("nothing is accepted before the process says so") {
  ListenerTest t(GENERATE(1, 3));
  REQUIRE(t.set("l", t.any, "one").ok());
  CHECK_FALSE(t.listeners.allServing());
  t.listeners.startAccepting();
  CHECK(t.listeners.allServing());
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
  const net::Address elsewhere = t.unixAddress();
  REQUIRE(t.set("l", elsewhere, "three").ok());
  for (int i = 0; i < 5; ++i) CHECK(t.ask(elsewhere) == "three");
  CHECK(t.ask(bound) == "refused");
}

TEST_CASE("a socket that cannot be bound twice cannot be made otherwise while it serves") {
  ListenerTest t(GENERATE(1, 3));
  t.listeners.startAccepting();
  const bool abstract = GENERATE(true, false);
  t.reuse_port = abstract;
  const net::Address at = abstract ? t.unixAddress() : t.any;
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

TEST_CASE("an update waits for its routes while the old one serves") {
  ListenerTest t;
  t.listeners.startAccepting();
  REQUIRE(t.set("l", t.any, "one").ok());
  const net::Address bound = t.boundOf("l");
  config::ErrorList errors;
  const auto slot = t.routes.rds("r", {}, config::Context(errors));
  const net::Address next = t.unixAddress();
  REQUIRE(t.set("l", next, "two", {"r"}).ok());
  CHECK(t.ask(bound) == "one");
  CHECK(t.stats.valueOf("listener_manager.total_listeners_active") == 1);
  CHECK(t.stats.valueOf("listener_manager.total_listeners_warming") == 1);
  SECTION("they come") {
    t.routes.setTable("r", table("r"));
  }
  SECTION("they do not come") {
    t.routes.giveUp("r");
  }
  SECTION("it is refused a change first") {
    const net::Fd foreign = *net::listenOn(t.any, {});
    CHECK_FALSE(t.set("l", net::localAddress(foreign.get()), "bad", {"r"}).ok());
    t.routes.setTable("r", table("r"));
  }
  SECTION("it is changed again first") {
    REQUIRE(t.set("l", next, "two and a half", {"r"}).ok());
    t.routes.setTable("r", table("r"));
    CHECK(t.ask(next) == "two and a half");
    REQUIRE(t.set("l", next, "two").ok());
  }
  CHECK(t.ask(next) == "two");
  CHECK(t.ask(bound) == "refused");
}

TEST_CASE("a listener that is removed stops accepting, a static one cannot be") {
  ListenerTest t;
  t.listeners.startAccepting();
  const net::Address fixed = t.unixAddress(), other = t.unixAddress();
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
