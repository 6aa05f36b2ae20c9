// The store of a process and of the one after it, with their subscriptions.
#include "source/server/config_keeper.h"

#include <catch2/catch.hpp>

#include "source/xds/fakes.h"
#include "source/xds/subscriptions.h"
#include "test/support/files/scratch_folder.h"

using namespace std::chrono_literals;

namespace sluice::server {
namespace {

using xds::testing::clusterBody;
using xds::testing::endpointBody;
using xds::testing::FakeTransport;

// One process.
struct Life {
  explicit Life(const std::string& folder)
      : keeper(std::make_unique<ConfigKeeper>(*main, logger, stats, cells, *ConfigStore::open(folder, ""))) {
    subscriptions.addType(xds::typeInfo(xds::kClusterType), clusters);
    subscriptions.addType(xds::typeInfo(xds::kEndpointType), endpoints);
    keeper->subscriptions = &subscriptions;
    for (auto* watcher : {&clusters, &endpoints}) {
      watcher->during_update = [this](const xds::Update& update) {
        if (!update.stored) keeper->onChange();
      };
    }
    subscriptions.startAds({.cluster = "ads"});
    CHECK(subscriptions.subscribe(xds::kClusterType, {}, "*").ok());
    CHECK(subscriptions.subscribe(xds::kEndpointType, {}, "a").ok());
  }
  xds::Subscriptions::Deps deps() {
    xds::Subscriptions::Deps deps{*main};
    deps.make_transport = [this](const xds::GrpcSource&) { return std::make_unique<FakeTransport>(wire); };
    deps.random = [] { return 0; };
    deps.stored = [this](std::string_view type, const std::string& source) { return keeper->stored(type, source); };
    return deps;
  }
  void send(const xds::Response& response) {
    wire->events->onMessage(xds::wireEncoder(xds::Variant::kSotw).encode(response));
  }
  void runUntil(const std::function<bool()>& done) {
    for (int i = 0; i < 400 && !done(); ++i) {
      event::Timer end(main->timers(), [this] { main->stop(); });
      end.arm(10ms);
      main->run();
    }
    REQUIRE(done());
  }
  int64_t stat(const std::string& name) const { return stats.valueOf("config_store." + name).value_or(-1); }

  std::unique_ptr<event::Loop> main = event::makeLoop();
  observability::StatsRegistry stats;
  observability::StatsCells& cells = stats.makeCells();
  std::vector<std::string> lines;
  observability::Logger logger{observability::LogLevel::kInfo,
                               [this](std::string_view line) { lines.emplace_back(line); }};
  std::shared_ptr<FakeTransport::Record> wire = std::make_shared<FakeTransport::Record>();
  xds::testing::RecordingWatcher clusters, endpoints;
  std::unique_ptr<ConfigKeeper> keeper;
  xds::Subscriptions subscriptions{deps()};
};

xds::Response clustersOf(const std::vector<std::string>& names) {
  std::vector<xds::Resource> resources;
  for (const std::string& name : names) resources.push_back(xds::testing::bare(clusterBody(name, "x")));
  return xds::testing::response(xds::kClusterType, "7", "n", std::move(resources));
}

TEST_CASE("what a process accepted serves in the next one while the control plane is away") {
  const test::ScratchFolder folder;
  {
    Life first(folder / "store");
    first.wire->establish();
    first.runUntil([&] { return first.wire->sent.size() == 2; });
    first.send(clustersOf({"a", "b"}));
    first.send(xds::testing::response(xds::kEndpointType, "7", "n", {xds::testing::bare(endpointBody("a", 140))}));
    first.runUntil([&] { return first.stat("write_success") == 1; });
    CHECK(first.stat("write_failure") == 0);
  }
  Life second(folder / "store");
  CHECK(second.stat("read_resources") == 3);
  second.wire->fail();
  second.runUntil([&] { return second.endpoints.held.contains("a"); });
  CHECK(second.clusters.held == std::map<std::string, std::string>{{"a", "7"}, {"b", "7"}});
}

TEST_CASE("what ends before it wrote writes then, and keeps what a server has not spoken of yet") {
  const test::ScratchFolder folder;
  {
    Life first(folder / "store");
    first.wire->establish();
    first.runUntil([&] { return first.wire->sent.size() == 2; });
    first.send(clustersOf({"a"}));
    first.send(xds::testing::response(xds::kEndpointType, "7", "n", {xds::testing::bare(endpointBody("a", 140))}));
    first.keeper.reset();
  }
  {
    Life second(folder / "store");
    second.wire->establish();
    second.runUntil([&] { return second.wire->sent.size() == 2; });
    second.send(clustersOf({"c"}));
    second.keeper.reset();
  }
  const auto read = ConfigStore::open(folder / "store", "")->read();
  REQUIRE(read.ok());
  REQUIRE(read->types.size() == 2);
  CHECK(read->types[0].resources.at(0).name == "c");
  CHECK(read->types[1].resources.at(0).name == "a");
}

TEST_CASE("a server of which nothing is accepted takes nothing out of the store") {
  const test::ScratchFolder folder;
  for (const bool good : {true, false}) {
    Life life(folder / "store");
    life.wire->establish();
    life.runUntil([&] { return life.wire->sent.size() == 2; });
    if (!good) life.clusters.refuse = {"b"};
    life.send(clustersOf({good ? "a" : "b"}));
    life.keeper.reset();
  }
  const auto read = ConfigStore::open(folder / "store", "")->read();
  REQUIRE(read.ok());
  CHECK(read->types.at(0).resources.at(0).name == "a");
}

TEST_CASE("what has a time to live is not kept beyond the process") {
  const test::ScratchFolder folder;
  {
    Life life(folder / "store");
    life.wire->establish();
    life.runUntil([&] { return life.wire->sent.size() == 2; });
    xds::Resource timed = xds::testing::named("a", "1", clusterBody("a", "x"));
    timed.ttl = 60s;
    life.send(xds::testing::response(xds::kClusterType, "7", "n",
                                     {std::move(timed), xds::testing::bare(clusterBody("b", "x"))}));
    CHECK(life.clusters.held.size() == 2);
    life.keeper.reset();
  }
  const auto read = ConfigStore::open(folder / "store", "")->read();
  REQUIRE(read.ok());
  REQUIRE(read->types.at(0).resources.size() == 1);
  CHECK(read->types[0].resources[0].name == "b");
}

TEST_CASE("a store that is no good is told of and not used") {
  const test::ScratchFolder folder;
  folder.write("store/accepted.sealed", "nonsense");
  Life life(folder / "store");
  CHECK(life.stat("read_failure") == 1);
  CHECK(life.lines.back().find("is not what this program writes") != std::string::npos);
  CHECK(life.keeper->stored(xds::kClusterType, "ads") == nullptr);
}

}  // namespace
}  // namespace sluice::server
