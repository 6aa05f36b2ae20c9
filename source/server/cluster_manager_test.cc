// The cluster manager with one real worker.
#include <catch2/catch.hpp>

#include "source/event/polled_loop.h"
#include "source/extensions/clusters/eds/source.h"
#include "source/extensions/clusters/static_cluster/kind.h"
#include "source/server/cluster_manager.h"
#include "source/server/test_process.h"
#include "test/support/allocations/allocations.h"
#include "test/support/upstream/policies.h"

using namespace std::chrono_literals;

namespace sluice::server {
namespace {

namespace cluster = upstream::cluster;

struct ClusterTest : Process {
  explicit ClusterTest(size_t max_leaving = ClusterManager::kMaxLeaving)
      : clusters(*main, workers, stats, cells, names, *resolver, logger, 1, max_leaving) {
    clusters.boot = &boot;
  }
  // Whether no cluster waits for its first hosts.
  bool allWarm() const { return boot.waits().empty(); }
  // A configuration of a kind, which looks no different to the manager if its hash does not.
  std::shared_ptr<cluster::ClusterConfig> config(const std::string& name,
                                                 std::shared_ptr<const cluster::ClusterKind> kind, uint64_t hash) {
    auto out = std::make_shared<cluster::ClusterConfig>();
    out->name = out->stat_name = name;
    out->kind = std::move(kind);
    out->content_hash = hash;
    return out;
  }
  std::shared_ptr<cluster::ClusterConfig> fixed(const std::string& name, uint64_t hash) {
    return config(name, std::make_shared<extensions::clusters::static_cluster::Kind>(hosts(1)), hash);
  }
  std::shared_ptr<cluster::ClusterConfig> byName(const std::string& name, uint64_t hash, int timeout_ms,
                                                 const std::string& service_name = "", const std::string& source = "") {
    extensions::clusters::eds::Settings settings;
    settings.cluster = name;
    settings.source = source;
    settings.service_name = service_name.empty() ? name : service_name;
    settings.initial_fetch_timeout = std::chrono::milliseconds(timeout_ms);
    return config(name, std::make_shared<extensions::clusters::eds::Kind>(settings), hash);
  }
  static cluster::Assignment hosts(int count) {
    cluster::Assignment out;
    auto& locality = out.localities.emplace_back();
    for (int i = 0; i < count; ++i) {
      locality.endpoints.emplace_back().address = *net::Address::fromIp("10.0.0.1", static_cast<uint16_t>(i + 1));
    }
    return out;
  }
  // -1: the worker does not know it.
  int onWorkerHosts(const std::string& name) {
    const auto id = names.find(name);
    return onWorker<int>([id](Worker& worker) {
      const auto found = worker.clusters().find(id);
      return found ? static_cast<int>(found->hosts().hostCount()) : -1;
    });
  }
  route::ClusterNames names;
  std::unique_ptr<net::DnsResolver> resolver = net::makeDnsResolver(*main);
  ClusterManager clusters;
  InitManager boot{*main, logger, "the test"};
};

TEST_CASE("a static cluster serves at once, and only static configuration may change it") {
  ClusterTest t;
  CHECK(t.clusters.set(t.fixed("c", 1), {}, true, ""));
  CHECK(t.allWarm());
  CHECK(t.onWorkerHosts("c") == 1);
  CHECK_FALSE(t.clusters.set(t.fixed("c", 2), {}, false, "v"));
  t.clusters.remove("c");
  CHECK(t.onWorkerHosts("c") == 1);
}

TEST_CASE("whoever wants to know is told when workers have been given a cluster, and what names it") {
  ClusterTest t;
  std::vector<std::string> told;
  t.clusters.on_serves = [&](const std::string& name) { told.push_back(name); };
  t.clusters.set(t.byName("late", 1, 0), {}, false, "");
  CHECK(told.empty());
  t.clusters.set(t.fixed("c", 1), {}, false, "");
  t.clusters.set(t.fixed("c", 1), {}, false, "");
  t.clusters.set(t.fixed("c", 2), {}, false, "");
  CHECK(told == std::vector<std::string>{"c", "c"});

  CHECK_FALSE(t.clusters.named("c"));
  CHECK_FALSE(t.clusters.named("none"));
  const auto use = t.names.use(t.names.find("c"));
  CHECK(t.clusters.named("c"));
}

TEST_CASE("hosts are counted once by the transport that their metadata chooses") {
  ClusterTest t;
  auto config = t.byName("c", 1, 60'000);
  cluster::TransportMatch& match = config->transport_matches.list.emplace_back();
  match.wanted.emplace_back("secure", stream::MetadataValue{true});
  match.chosen = t.stats.counter("chosen");
  config->transport_matches.no_match = t.stats.counter("others");
  t.clusters.set(config, {}, false, "1");
  cluster::Assignment endpoints = ClusterTest::hosts(3);
  endpoints.localities[0].endpoints[1].metadata = {
      {{std::string(cluster::kTransportMetadata), {stream::MetadataFields{{"secure", {true}}}}}}, "secure"};
  t.clusters.setAssignment({"", "c"}, endpoints, "1");
  CHECK(t.stats.valueOf("chosen") == 1);
  CHECK(t.stats.valueOf("others") == 2);

  endpoints.localities[0].endpoints[0].metadata = endpoints.localities[0].endpoints[1].metadata;
  t.clusters.setAssignment({"", "c"}, endpoints, "2");
  CHECK(t.stats.valueOf("chosen") == 2);
  CHECK(t.stats.valueOf("others") == 2);
}

TEST_CASE("a cluster with endpoints by name is not seen before it has them") {
  ClusterTest t;
  std::vector<std::string> interest;
  t.clusters.on_eds_wanted = [&](const ResourceKey& key, const auto&) { interest.push_back("+" + key.name); };
  t.clusters.on_eds_unwanted = [&](const ResourceKey& key) { interest.push_back("-" + key.name); };
  t.clusters.set(t.byName("c", 1, 60'000), {}, false, "1");
  CHECK_FALSE(t.allWarm());
  CHECK(t.onWorkerHosts("c") == -1);
  t.clusters.setAssignment({"", "c"}, ClusterTest::hosts(2));
  CHECK(t.allWarm());
  CHECK(t.onWorkerHosts("c") == 2);

  SECTION("endpoints change") {
    t.clusters.setAssignment({"", "c"}, ClusterTest::hosts(5));
    CHECK(t.onWorkerHosts("c") == 5);
    t.clusters.setAssignment({"", "other"}, ClusterTest::hosts(9));
    CHECK(t.onWorkerHosts("c") == 5);
  }
  SECTION("a changed configuration takes the endpoints that are known") {
    t.clusters.set(t.byName("c", 2, 60'000), {}, false, "2");
    CHECK(t.clusters.find("c")->active->version == "2");
    CHECK(t.onWorkerHosts("c") == 2);
  }
  SECTION("an unchanged one is left alone") {
    const auto* before = t.clusters.find("c")->active.get();
    t.clusters.set(t.byName("c", 1, 60'000), {}, false, "2");
    CHECK(t.clusters.find("c")->active.get() == before);
    CHECK(before->version == "2");
  }
  t.clusters.remove("c");
  CHECK(t.onWorkerHosts("c") == -1);
  CHECK(interest == std::vector<std::string>{"+c", "-c"});
  CHECK(t.clusters.entries().empty());
}

// Main's time is virtual.
struct StaleTest : Process {
  StaleTest() {
    extensions::clusters::eds::Settings settings;
    settings.cluster = settings.service_name = "c";
    auto config = std::make_shared<cluster::ClusterConfig>();
    config->name = config->stat_name = "c";
    config->kind = std::make_shared<extensions::clusters::eds::Kind>(settings);
    config->content_hash = 1;
    clusters.set(config, {}, false, "1");
  }
  void assign(std::chrono::milliseconds stale_after) {
    cluster::Assignment endpoints = ClusterTest::hosts(2);
    endpoints.stale_after = stale_after;
    clusters.setAssignment(key, endpoints, "1");
  }
  size_t hosts() const { return clusters.hostsOf("c")->entries().size(); }

  const ResourceKey key{"", "c"};
  event::PolledLoop loop;
  route::ClusterNames names;
  std::unique_ptr<net::DnsResolver> resolver = net::makeDnsResolver(*main);
  ClusterManager clusters{loop, workers, stats, cells, names, *resolver, logger, 1, ClusterManager::kMaxLeaving};
};

TEST_CASE("endpoints without news are used no longer than they say") {
  StaleTest t;
  t.assign(5s);
  CHECK(t.hosts() == 2);
  CHECK(t.stats.valueOf("cluster.c.assignment_timeout_received") == 1);
  t.loop.pass(4999ms);
  CHECK(t.hosts() == 2);
  CHECK(t.stats.valueOf("cluster.c.assignment_stale") == 0);

  t.loop.pass(1ms);
  CHECK(t.hosts() == 0);
  CHECK(t.stats.valueOf("cluster.c.assignment_stale") == 1);

  t.assign(0ms);
  t.loop.pass(1h);
  CHECK(t.hosts() == 2);
}

TEST_CASE("news in time keep endpoints in use, if they are the same, too") {
  StaleTest t;
  t.assign(5s);
  t.loop.pass(4s);
  t.assign(5s);
  t.loop.pass(4s);
  t.clusters.repeatAssignment(t.key);
  t.loop.pass(4s);
  CHECK(t.hosts() == 2);
  t.clusters.repeatAssignment({"", "another"});

  t.clusters.remove("c");
  t.loop.pass(1h);  // nothing comes behind
  CHECK(t.clusters.entries().empty());
}

TEST_CASE("the same endpoints again are news, even if they were given up") {
  StaleTest t;
  t.assign(5s);
  t.loop.pass(6s);
  REQUIRE(t.hosts() == 0);

  t.clusters.repeatAssignment(t.key);
  CHECK(t.hosts() == 2);
  t.loop.pass(6s);
  CHECK(t.hosts() == 0);
}

TEST_CASE("what came of a cluster's endpoints is told by its name and goes with it") {
  ClusterTest t;
  const auto told = [&t](const std::string& name) { return t.stats.valueOf("cluster.c." + name).value_or(-1); };
  t.clusters.set(t.byName("c", 1, 60'000), {}, false, "1");
  CHECK(told("update_attempt") == 1);
  t.clusters.setAssignment({"", "c"}, ClusterTest::hosts(2), "1");
  const int64_t version = told("version");
  t.clusters.setAssignment({"", "c"}, ClusterTest::hosts(2), "2");
  CHECK(told("update_success") == 2);
  CHECK(told("update_no_rebuild") == 1);
  CHECK(told("version") != version);
  t.clusters.forEachDiscovery("", "c", [](DiscoveryStats& stats) { stats.empty(); });
  CHECK(told("update_empty") == 1);
  CHECK(told("update_attempt") == 4);
  t.clusters.remove("c");
  t.sync();
  CHECK(told("update_attempt") == -1);
}

TEST_CASE("a changed cluster serves as before until the new one is warm; going back needs nothing") {
  ClusterTest t;
  t.clusters.set(t.fixed("c", 1), {}, false, "1");
  t.clusters.set(t.byName("c", 2, 60'000), {}, false, "2");
  CHECK(t.clusters.find("c")->warming != nullptr);
  CHECK(t.onWorkerHosts("c") == 1);
  SECTION("endpoints come") {
    t.clusters.setAssignment({"", "c"}, ClusterTest::hosts(3));
    CHECK(t.onWorkerHosts("c") == 3);
    CHECK(t.clusters.find("c")->active->version == "2");
  }
  SECTION("it goes back") {
    t.clusters.set(t.fixed("c", 1), {}, false, "3");
    CHECK(t.clusters.find("c")->warming == nullptr);
    CHECK(t.clusters.find("c")->active->version == "3");
    t.clusters.setAssignment({"", "c"}, ClusterTest::hosts(3));
    CHECK(t.onWorkerHosts("c") == 1);
  }
  SECTION("it is removed meanwhile") {
    t.clusters.remove("c");
    t.clusters.setAssignment({"", "c"}, ClusterTest::hosts(3));
    CHECK(t.onWorkerHosts("c") == -1);
  }
}

TEST_CASE("a cluster whose endpoints do not come in time goes on without") {
  ClusterTest t;
  t.clusters.set(t.byName("c", 1, 10), {}, false, "1");
  t.boot.start([&] { t.main->stop(); });
  t.main->run();
  CHECK(t.allWarm());
  CHECK(t.onWorkerHosts("c") == 0);
}

TEST_CASE("what is in flight stays counted when a cluster's limits change") {
  ClusterTest t;
  t.clusters.set(t.fixed("c", 1), {}, false, "1");
  const auto breakers = t.clusters.find("c")->breakers;
  REQUIRE(breakers->tryAcquire(cluster::Resource::kRequests, cluster::RoutingPriority::kDefault));
  auto next = t.fixed("c", 2);
  next->thresholds[0].max_requests = 1;
  t.clusters.set(next, {}, false, "2");
  CHECK(t.clusters.find("c")->breakers == breakers);
  CHECK_FALSE(breakers->tryAcquire(cluster::Resource::kRequests, cluster::RoutingPriority::kDefault));
}

// --- removed and named still ---

TEST_CASE("a removed cluster serves until nothing that serves names it") {
  ClusterTest t;
  route::ClusterNames::Use use = t.names.use(t.names.idOf("c"));
  t.clusters.set(t.fixed("c", 1), {}, false, "1");
  t.clusters.remove("c");
  CHECK(t.onWorkerHosts("c") == 1);
  CHECK_FALSE(t.clusters.exists("c"));
  CHECK(t.stats.valueOf("cluster_manager.active_clusters") == 0);
  CHECK(t.stats.valueOf("cluster_manager.cluster_removed") == 1);
  CHECK(t.stats.find("cluster.c.upstream_rq_total") != nullptr);
  SECTION("the last that names it goes, on whatever thread") {
    t.workers.postAll([held = std::make_shared<route::ClusterNames::Use>(std::move(use))](Worker&) { held->reset(); });
    t.sync();
    t.sync();
    CHECK(t.onWorkerHosts("c") == -1);
    CHECK(t.clusters.entries().empty());
    t.sync();
    CHECK(t.stats.find("cluster.c.upstream_rq_total") == nullptr);
    CHECK(t.names.size() == 0);
  }
  SECTION("it comes back") {
    t.clusters.set(t.fixed("c", 1), {}, false, "2");
    CHECK(t.clusters.exists("c"));
    CHECK(t.stats.valueOf("cluster_manager.active_clusters") == 1);
    use.reset();
    t.sync();
    CHECK(t.onWorkerHosts("c") == 1);
  }
  SECTION("another one names it meanwhile") {
    const route::ClusterNames::Use other = t.names.use(t.names.idOf("c"));
    use.reset();
    t.sync();
    CHECK(t.onWorkerHosts("c") == 1);
  }
}

TEST_CASE("a cluster that was never warm goes when it is removed, whatever names it") {
  ClusterTest t;
  const route::ClusterNames::Use use = t.names.use(t.names.idOf("c"));
  t.clusters.set(t.byName("c", 1, 60'000), {}, false, "1");
  t.clusters.remove("c");
  CHECK(t.clusters.entries().empty());
  CHECK(t.allWarm());
}

TEST_CASE("a removed cluster keeps the endpoints that it has and asks for none") {
  ClusterTest t;
  std::vector<std::string> interest;
  t.clusters.on_eds_wanted = [&](const ResourceKey& key, const auto&) { interest.push_back("+" + key.name); };
  t.clusters.on_eds_unwanted = [&](const ResourceKey& key) { interest.push_back("-" + key.name); };
  route::ClusterNames::Use use = t.names.use(t.names.idOf("c"));
  t.clusters.set(t.byName("c", 1, 60'000), {}, false, "1");
  t.clusters.setAssignment({"", "c"}, ClusterTest::hosts(2));
  t.clusters.remove("c");
  CHECK(interest == std::vector<std::string>{"+c", "-c"});
  t.clusters.setAssignment({"", "c"}, ClusterTest::hosts(5));
  CHECK(t.onWorkerHosts("c") == 2);
  t.clusters.set(t.byName("c", 1, 60'000), {}, false, "2");
  t.clusters.setAssignment({"", "c"}, ClusterTest::hosts(5));
  CHECK(t.onWorkerHosts("c") == 5);
  CHECK(interest == std::vector<std::string>{"+c", "-c", "+c"});
}

TEST_CASE("a host that leaves the endpoints stays until a check fails it, for workers, too") {
  ClusterTest t;
  auto config = t.byName("c", 1, 60'000);
  auto check = std::make_shared<cluster::HealthCheckConfig>();
  check->timeout = check->interval = 10s;
  check->initial_jitter = 10'000h;  // none is made here
  config->health_checks = {check};
  t.clusters.set(config, {}, false, "1", t.clusters.newInit("c"));
  t.clusters.setAssignment({"", "c"}, ClusterTest::hosts(3));
  const ClusterManager::Entry& entry = *t.clusters.find("c");
  const auto opine = [&](size_t host, cluster::Health health) {
    const cluster::HostSetPtr hosts = (entry.active ? entry.active : entry.warming)->hosts;
    hosts->entries()[host].host->monitor().setPending(false);
    t.clusters.monitorsOf("c")->set(*hosts->entries()[host].host, cluster::HealthInput::kActiveCheck, health);
  };
  for (const size_t host : {0, 1, 2}) opine(host, cluster::Health::kHealthy);
  entry.warming->checks_wait.ready();
  REQUIRE(t.onWorkerHosts("c") == 3);

  t.clusters.setAssignment({"", "c"}, ClusterTest::hosts(1));
  CHECK(t.onWorkerHosts("c") == 3);
  CHECK(t.clusters.hostsOf("c")->entries()[1].leaving);
  opine(1, cluster::Health::kUnhealthy);
  t.sync();
  CHECK(t.onWorkerHosts("c") == 2);
  t.clusters.setAssignment({"", "c"}, ClusterTest::hosts(1));
  CHECK(t.onWorkerHosts("c") == 2);
}

TEST_CASE("within the merge window workers are told of health at its end, of hosts that come at once") {
  ClusterTest t;
  auto config = t.byName("c", 1, 60'000);
  config->host_changes.merge_window = 1h;
  t.clusters.set(config, {}, false, "1", t.clusters.newInit("c"));
  t.clusters.setAssignment({"", "c"}, ClusterTest::hosts(3));
  const auto healthy = [&t, id = t.names.find("c")] {
    return t.onWorker<size_t>([id](Worker& worker) {
      return worker.clusters().find(id)->hosts().countWithHealth(cluster::Health::kHealthy);
    });
  };
  const auto fail = [&t](size_t host) {
    t.clusters.monitorsOf("c")->set(*t.clusters.hostsOf("c")->entries()[host].host, cluster::HealthInput::kEjection,
                                    cluster::Health::kUnhealthy);
    t.sync();
  };
  CHECK(healthy() == 3);
  fail(0);
  CHECK(healthy() == 3);
  CHECK(t.stats.valueOf("cluster.c.membership_healthy") == 2);
  t.clusters.setAssignment({"", "c"}, ClusterTest::hosts(4));
  CHECK(healthy() == 3);
  CHECK(t.onWorkerHosts("c") == 4);

  config = t.byName("c", 2, 60'000);
  config->host_changes.merge_window = 20ms;
  t.clusters.set(config, {}, false, "2", t.clusters.newInit("c"));
  fail(1);
  for (int i = 0; i < 500 && healthy() != 2; ++i) t.runFor(5ms);
  CHECK(healthy() == 2);
}

TEST_CASE("over the count of those that are kept the one that was removed first goes") {
  ClusterTest t(2);
  std::vector<route::ClusterNames::Use> uses;
  for (const char* name : {"a", "b", "c"}) {
    uses.push_back(t.names.use(t.names.idOf(name)));
    t.clusters.set(t.fixed(name, 1), {}, false, "1");
  }
  for (const char* name : {"b", "a", "c"}) t.clusters.remove(name);
  CHECK(t.onWorkerHosts("b") == -1);
  CHECK(t.onWorkerHosts("a") == 1);
  CHECK(t.onWorkerHosts("c") == 1);
}

// --- sources and waits ---

TEST_CASE("the same endpoints' name from two sources is two resources") {
  ClusterTest t;
  std::vector<ResourceKey> wanted;
  t.clusters.on_eds_wanted = [&](const ResourceKey& key, const auto&) { wanted.push_back(key); };
  for (const char* name : {"one", "two"}) {
    envoy::config::core::v3::ConfigSource source;
    source.mutable_path_config_source()->set_path(name);
    t.clusters.set(t.byName(name, 1, 60'000, "shared", source.SerializeAsString()), {}, false, "1");
  }
  REQUIRE(wanted.size() == 2);
  CHECK(wanted[0].name == wanted[1].name);
  CHECK(wanted[0].source != wanted[1].source);
  t.clusters.setAssignment(wanted[0], ClusterTest::hosts(1));
  CHECK(t.onWorkerHosts("one") == 1);
  CHECK(t.onWorkerHosts("two") == -1);
  t.clusters.setAssignment(wanted[1], ClusterTest::hosts(2));
  CHECK(t.onWorkerHosts("one") == 1);
  CHECK(t.onWorkerHosts("two") == 2);
}

TEST_CASE("endpoints that are refused or absent end the wait, also one without a limit") {
  ClusterTest t;
  t.clusters.set(t.byName("c", 1, 0), {}, false, "1");
  t.clusters.set(t.fixed("d", 1), {}, false, "1");
  t.clusters.giveUpAssignment({"", "other"});
  CHECK_FALSE(t.allWarm());
  t.clusters.giveUpAssignment({"", "c"});
  CHECK(t.allWarm());
  CHECK(t.onWorkerHosts("c") == 0);
  SECTION("who asks for the same later does not wait either") {
    t.clusters.set(t.byName("d", 2, 0, "c"), {}, false, "2");
    CHECK(t.clusters.find("d")->warming == nullptr);
    CHECK(t.onWorkerHosts("d") == 1);  // those that it had
  }
  SECTION("they come after all") {
    t.clusters.setAssignment({"", "c"}, ClusterTest::hosts(3));
    CHECK(t.onWorkerHosts("c") == 3);
    t.clusters.giveUpAssignment({"", "c"});
    CHECK(t.onWorkerHosts("c") == 3);
  }
}

TEST_CASE("once the process has started, endpoints that are absent are waited for") {
  ClusterTest t;
  t.clusters.patience = 60s;
  t.clusters.set(t.byName("early", 1, 0), {}, false, "");
  t.clusters.giveUpAssignment({"", "early"});
  CHECK(t.onWorkerHosts("early") == 0);
  t.boot.start([] {});

  t.clusters.set(t.byName("c", 1, 0), {}, false, "");
  t.clusters.giveUpAssignment({"", "c"});
  CHECK(t.onWorkerHosts("c") == -1);
  REQUIRE(t.clusters.find("c")->warming);
  CHECK(t.clusters.find("c")->warming->init->waits() == "endpoints 'c'");
  t.clusters.setAssignment({"", "c"}, ClusterTest::hosts(2));
  CHECK(t.onWorkerHosts("c") == 2);

  t.clusters.set(t.byName("c", 2, 0, "other"), {}, false, "");
  t.clusters.giveUpAssignment({"", "other"});
  t.clusters.set(t.byName("c", 3, 0, "other"), {}, false, "");
  CHECK(t.onWorkerHosts("c") == 2);
  t.clusters.setAssignment({"", "other"}, ClusterTest::hosts(3));
  CHECK(t.onWorkerHosts("c") == 3);

  // What serves has none either.
  t.clusters.set(t.byName("early", 2, 0), {}, false, "");
  CHECK(t.clusters.find("early")->active->config->content_hash == 2);
}

TEST_CASE("a new cluster does not serve before a secret that is absent has come, or the time for that is over") {
  ClusterTest t;
  t.clusters.patience = 60s;
  t.boot.start([] {});
  std::unique_ptr<InitManager> init = t.clusters.newInit("c");
  config::InitTarget secret = init->add("secret 's'");
  t.clusters.set(t.fixed("c", 1), {}, false, "", std::move(init));
  SECTION("it comes") {
    secret.absent(60s);
    CHECK(t.onWorkerHosts("c") == -1);
    secret.ready();
  }
  SECTION("no time is left") {
    secret.absent(0s);
  }
  CHECK(t.onWorkerHosts("c") == 1);
}

// --- a kind of its own, and the health of hosts ---

// Gives what the test says, when it says so.
struct Given {
  cluster::HostSource::Receiver* receiver = nullptr;
  cluster::HostSetPtr previous;
  std::vector<std::string> calls;
};
class GivenKind : public cluster::ClusterKind {
 public:
  explicit GivenKind(Given& given) : given_(given) {}
  std::unique_ptr<cluster::HostSource> makeSource(const cluster::HostSource::World&, cluster::HostSource::Owner owner,
                                                  cluster::HostSource::Receiver& receiver) const override {
    class Source : public cluster::HostSource {
     public:
      explicit Source(Given& given) : given_(given) {}
      void start() override { given_.calls.emplace_back("start"); }
      void suspend() override { given_.calls.emplace_back("suspend"); }
      void resume() override { given_.calls.emplace_back("resume"); }

     private:
      Given& given_;
    };
    given_.receiver = &receiver;
    given_.previous = owner.previous;
    return std::make_unique<Source>(given_);
  }

 private:
  Given& given_;
};

TEST_CASE("a kind of cluster decides when it is warm and what hosts it has") {
  ClusterTest t;
  Given given;
  const route::ClusterNames::Use use = t.names.use(t.names.idOf("c"));
  t.clusters.set(t.config("c", std::make_shared<GivenKind>(given), 1), {}, false, "1");
  CHECK(t.onWorkerHosts("c") == -1);
  given.receiver->onEndpoints(std::make_shared<const cluster::Assignment>(ClusterTest::hosts(2)));
  CHECK(t.onWorkerHosts("c") == 2);
  given.receiver->onEndpoints(std::make_shared<const cluster::Assignment>(ClusterTest::hosts(3)));
  CHECK(t.onWorkerHosts("c") == 3);

  SECTION("it gets the hosts that its cluster had, and may go on with them") {
    t.clusters.set(t.config("c", std::make_shared<GivenKind>(given), 2), {}, false, "2");
    REQUIRE(given.previous);
    CHECK(given.previous->hostCount() == 3);
    CHECK(t.clusters.find("c")->warming != nullptr);
    given.receiver->onNoEndpoints("has none");
    CHECK(t.clusters.find("c")->active->version == "2");
    CHECK(t.onWorkerHosts("c") == 3);
    CHECK(given.calls == std::vector<std::string>{"start", "start", "suspend"});
  }
  SECTION("it rests while the cluster is removed and serves on") {
    t.clusters.remove("c");
    t.clusters.set(t.config("c", std::make_shared<GivenKind>(given), 1), {}, false, "1");
    CHECK(given.calls == std::vector<std::string>{"start", "suspend", "resume"});
  }
}

// The hosts that may get requests: ports, joined.
std::string available(const ClusterManager& clusters) {
  std::string out;
  for (const cluster::HostSet::Tier& tier : clusters.hostsOf("c")->tiers()) {
    for (const cluster::HostSet::Group& group : tier.groups) {
      for (const auto& member : group.members) {
        out += std::to_string(clusters.hostsOf("c")->host(member.slot)->address().port());
      }
    }
  }
  return out;
}

TEST_CASE("what monitors tell in one turn builds the hosts anew once, at its end") {
  ClusterTest t;
  const auto policy = std::make_shared<upstream::lb::ByHeader>("x");
  auto config = t.byName("c", 1, 60'000);
  config->lb.policy = policy;
  t.clusters.set(config, {}, false, "1");
  t.clusters.setAssignment({"", "c"}, ClusterTest::hosts(4));
  t.sync();
  const cluster::HostSet* before = t.clusters.hostsOf("c");
  const size_t built = policy->built();
  cluster::HostMonitors& monitors = *t.clusters.monitorsOf("c");
  t.main->post([&] {
    monitors.set(*before->host(0), cluster::HealthInput::kActiveCheck, cluster::Health::kUnhealthy);
    monitors.set(*before->host(2), cluster::HealthInput::kEjection, cluster::Health::kUnhealthy);
    CHECK(t.clusters.hostsOf("c") == before);
  });
  t.sync();
  CHECK(policy->built() == built + 1);
  CHECK(available(t.clusters) == "24");
  CHECK(t.stats.valueOf("cluster.c.membership_healthy") == 2);

  SECTION("an update that keeps the hosts keeps what is known of them") {
    t.clusters.setAssignment({"", "c"}, ClusterTest::hosts(5));
    CHECK(available(t.clusters) == "245");
  }
  SECTION("so does another configuration of the cluster") {
    t.clusters.set(t.byName("c", 2, 60'000), {}, false, "2");
    CHECK(available(t.clusters) == "24");
  }
  SECTION("a host that left and came again begins anew") {
    t.clusters.setAssignment({"", "c"}, {});
    t.sync();
    t.clusters.setAssignment({"", "c"}, ClusterTest::hosts(4));
    CHECK(available(t.clusters) == "1234");
  }
  SECTION("when nobody objects any more it is as it was, and opinions that change nothing do nothing") {
    t.main->post([&] {
      const cluster::HostSet& now = *t.clusters.hostsOf("c");
      monitors.set(*now.host(0), cluster::HealthInput::kActiveCheck, cluster::Health::kHealthy);
      monitors.set(*now.host(2), cluster::HealthInput::kEjection, cluster::Health::kHealthy);
    });
    t.sync();
    CHECK(available(t.clusters) == "1234");
    const size_t so_far = policy->built();
    t.main->post([&] {
      monitors.set(*t.clusters.hostsOf("c")->host(1), cluster::HealthInput::kDrain, cluster::Health::kHealthy);
    });
    t.sync();
    CHECK(policy->built() == so_far);
  }
}

// So many hosts in zone "a" and in zone "b".
cluster::Assignment inZones(int in_a, int in_b) {
  cluster::Assignment out;
  for (const auto& [zone, count] : {std::pair("a", in_a), std::pair("b", in_b)}) {
    cluster::LocalityEndpoints locality = ClusterTest::hosts(in_a + in_b).localities[0];
    locality.locality.zone = zone;
    if (*zone == 'a') locality.endpoints.resize(static_cast<size_t>(in_a));
    if (*zone == 'b') locality.endpoints.erase(locality.endpoints.begin(), locality.endpoints.begin() + in_a);
    out.localities.push_back(std::move(locality));
  }
  return out;
}

TEST_CASE("other hosts of the local cluster split the hosts of those anew that are routed by zones") {
  ClusterTest t;
  t.clusters.routeByZones("us", {"", "a", ""});
  for (const char* name : {"us", "app", "plain"}) {
    auto config = t.byName(name, 1, 60'000);
    if (name != std::string("plain")) config->lb.hosts.zones.emplace();
    t.clusters.set(config, {}, false, "1");
  }
  const auto routes = [&](const std::string& name) {
    std::string out;
    for (const auto& group : t.clusters.hostsOf(name)->tiers()[0].groups) {
      out += std::to_string(group.members.size()) + "/" + std::to_string(static_cast<int>(group.route)) + " ";
    }
    return out;
  };
  t.clusters.setAssignment({"", "app"}, inZones(2, 6));
  t.clusters.setAssignment({"", "plain"}, inZones(2, 6));
  CHECK(routes("app") == "8/0 ");  // as long as nobody knows where we are
  CHECK(t.stats.valueOf("cluster.app.lb_recalculate_zone_structures") == 0);

  t.clusters.setAssignment({"", "us"}, inZones(1, 3));
  CHECK(routes("app") == "2/1 ");
  CHECK(routes("us") == "4/0 ");
  const cluster::HostSet* const plain = t.clusters.hostsOf("plain");
  t.clusters.setAssignment({"", "us"}, inZones(2, 2));
  CHECK(routes("app") == "2/2 6/3 ");
  CHECK(t.onWorker<int>([id = t.names.find("app")](Worker& worker) {
    return static_cast<int>(worker.clusters().find(id)->hosts().tiers()[0].groups.size());
  }) == 2);
  CHECK(t.clusters.hostsOf("plain") == plain);
  CHECK(t.stats.valueOf("cluster.app.lb_recalculate_zone_structures") == 2);

  SECTION("what changes nothing of its zones splits nothing anew") {
    t.clusters.setAssignment({"", "us"}, inZones(2, 2));
    CHECK(t.stats.valueOf("cluster.app.lb_recalculate_zone_structures") == 2);
  }
  SECTION("its health counts, too") {
    t.main->post([&] {
      t.clusters.monitorsOf("us")->set(*t.clusters.hostsOf("us")->host(3), cluster::HealthInput::kEjection,
                                       cluster::Health::kUnhealthy);
    });
    t.sync();
    CHECK(t.stats.valueOf("cluster.app.lb_recalculate_zone_structures") == 3);
  }
  SECTION("why there is none is counted") {
    t.clusters.setAssignment({"", "app"}, inZones(2, 3));
    CHECK(routes("app") == "5/0 ");
    CHECK(t.stats.valueOf("cluster.app.lb_zone_cluster_too_small") == 1);
    t.clusters.setAssignment({"", "us"}, inZones(0, 2));
    CHECK(t.stats.valueOf("cluster.app.lb_local_cluster_not_ok") == 1);
    t.clusters.setAssignment({"", "us"}, inZones(2, 0));
    CHECK(t.stats.valueOf("cluster.app.lb_zone_number_differs") == 1);
  }
}

// --- cost ---

// What `count` clusters cost to add, to give endpoints, to change and to remove.
uint64_t workOf(int count) {
  ClusterTest t;
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i)
    names.push_back("a-cluster-with-a-name-too-long-for-a-small-string-" + std::to_string(i));
  const uint64_t before = testing::allocations();
  for (const uint64_t version : {1, 2}) {
    for (const std::string& name : names) {
      t.clusters.set(t.byName(name, version, 60'000), {}, false, "v");
    }
    for (const std::string& name : names) t.clusters.setAssignment({"", name}, ClusterTest::hosts(1));
    CHECK(t.allWarm());
  }
  for (const std::string& name : names) t.clusters.remove(name);
  const uint64_t work = testing::allocations() - before;
  t.sync();
  return work;
}

TEST_CASE("twice the clusters cost twice the work") {
  const uint64_t once = workOf(200);
  const uint64_t twice = workOf(400);
  CHECK(static_cast<double>(twice) / static_cast<double>(once) < 2.2);
}

TEST_CASE("clusters that come and go under new names leave nothing behind") {
  ClusterTest t;
  const size_t stats_before = t.stats.size();
  uint32_t cells = 0;
  for (int i = 0; i < 300; ++i) {
    const std::string name = "c" + std::to_string(i);
    t.clusters.set(t.fixed(name, 1), {}, false, "1");
    CHECK(t.onWorkerHosts(name) == 1);
    t.clusters.remove(name);
    t.sync();
    if (i == 10) cells = t.stats.cellsUsed();
  }
  CHECK(t.stats.size() == stats_before);
  CHECK(t.stats.cellsUsed() == cells);
  CHECK(t.names.size() == 0);
}

}  // namespace
}  // namespace sluice::server
