#include "source/xds/failover_transport.h"

#include <catch2/catch.hpp>

#include "source/event/simulated_loop.h"
#include "source/xds/ads_client.h"
#include "source/xds/fakes.h"

namespace sluice::xds {
namespace {

using namespace std::chrono_literals;
using testing::clusterBody;
using testing::FakeTransport;
using testing::named;
using testing::RecordingWatcher;
using testing::response;
using Wire = std::shared_ptr<FakeTransport::Record>;
using Held = std::map<std::string, std::string>;

// A client of two servers. The wires of a server are those that were made to it, in their order.
struct Fixture {
  Fixture() {
    client.addType({typeInfo(kClusterType)}, watcher);
    client.onLog([this](const std::string& line) { log.push_back(line); });
    client.subscribe(kClusterType, "*");
    client.start();
  }
  FailoverTransport::Make make(std::vector<Wire>& wires) {
    return [&wires] {
      wires.push_back(std::make_shared<FakeTransport::Record>());
      return std::make_unique<FakeTransport>(wires.back());
    };
  }
  // The last wire fails, and the client tries again.
  void fail(std::vector<Wire>& wires) {
    wires.back()->fail();
    loop.advance(1ms);
  }
  void deliver(const Wire& wire, const std::string& version) {
    wire->events->onMessage(
        wireEncoder(Variant::kDelta)
            .encode(response(kClusterType, version, "n" + version, {named("a", version, clusterBody("a", version))})));
    loop.settle();
  }
  void fallBack() {
    fail(first);
    fail(first);
    REQUIRE(second.size() == 1);
    second.back()->establish();
    deliver(second.back(), "2");
  }
  Request next(const Wire& wire) { return wire->next(Variant::kDelta); }

  event::SimulatedLoop loop;
  std::vector<Wire> first, second;
  RecordingWatcher watcher;
  std::vector<std::string> log;
  AdsClient client{{.variant = Variant::kDelta},
                   std::make_unique<FailoverTransport>(make(first), make(second), loop, [] { return uint64_t{0}; }),
                   loop,
                   [] { return uint64_t{0}; }};
};

TEST_CASE("a first server that answers is the only one that is ever tried") {
  Fixture f;
  f.first.back()->establish();
  f.deliver(f.first.back(), "1");

  for (int i = 0; i < 10; ++i) f.fail(f.first);

  CHECK(f.second.empty());
  CHECK(f.watcher.held == Held{{"a", "1"}});
  f.first.back()->establish();
  f.next(f.first.back());  // of the first stream
  f.next(f.first.back());
  CHECK(f.next(f.first.back()).initial_versions == Held{{"a", "1"}});
}

TEST_CASE("a first server that does not answer is passed over, whether or not its stream stands") {
  Fixture f;
  SECTION("it cannot be reached") {
    f.fail(f.first);
  }
  SECTION("it says nothing") {
    f.first.back()->establish();
    f.fail(f.first);
  }
  CHECK(f.second.empty());
  f.fail(f.first);

  REQUIRE(f.second.size() == 1);
  f.second.back()->establish();
  f.deliver(f.second.back(), "2");
  CHECK(f.watcher.held == Held{{"a", "2"}});
  CHECK(f.client.streamStats().server == 1);
}

TEST_CASE("if neither answers both are tried in turn") {
  Fixture f;
  f.fail(f.first);
  f.fail(f.first);
  f.fail(f.second);
  f.fail(f.second);
  CHECK(f.first.size() == 2);
  CHECK(f.first.back()->connects == 1);
  f.fail(f.first);
  f.fail(f.first);
  CHECK(f.second.size() == 2);
}

TEST_CASE("a first server that can be reached takes over, and is told of what is held as of another's") {
  Fixture f;
  f.fallBack();
  const size_t before = f.first.size();
  f.loop.advance(4999ms);
  CHECK(f.first.size() == before);
  f.loop.advance(1ms);
  REQUIRE(f.first.size() == before + 1);
  CHECK(f.client.streamStats().connected);

  f.first.back()->establish();
  f.loop.settle();
  CHECK(f.watcher.held == Held{{"a", "2"}});
  CHECK(f.log.back().find("the first server can be reached again") != std::string::npos);
  f.loop.advance(1ms);
  REQUIRE(f.first.size() == before + 2);
  f.first.back()->establish();

  CHECK(f.next(f.first.back()).initial_versions == Held{{"a", std::string(SubscriptionMachine::kForeignVersion)}});
  f.deliver(f.first.back(), "3");
  CHECK(f.watcher.held == Held{{"a", "3"}});
  CHECK(f.client.streamStats().server == 0);
  f.loop.advance(600s);
  CHECK(f.first.size() == before + 2);  // nothing is tried beside it
}

TEST_CASE("a first server that stays away is tried later each time, and the second serves on") {
  Fixture f;
  f.fallBack();
  for (const auto wait : {5s, 10s, 20s, 30s, 30s}) {
    const size_t before = f.first.size();
    f.loop.advance(wait - 1ms);
    CHECK(f.first.size() == before);
    f.loop.advance(1ms);
    REQUIRE(f.first.size() == before + 1);
    f.first.back()->fail();
    f.loop.settle();
  }
  CHECK(f.client.streamStats().connected);
  CHECK(f.second.size() == 1);
}

TEST_CASE("a second server that goes away leaves the turn to the first, and to it again if that does not answer") {
  Fixture f;
  f.fallBack();
  const size_t before = f.first.size();

  f.fail(f.second);
  REQUIRE(f.first.size() == before + 1);
  f.fail(f.first);
  f.fail(f.first);

  REQUIRE(f.second.size() == 2);
  f.second.back()->establish();
  CHECK(f.next(f.second.back()).initial_versions == Held{{"a", "2"}});
}

TEST_CASE("a client may go away while the first server is tried beside the second") {
  auto f = std::make_unique<Fixture>();
  f->fallBack();
  f->loop.advance(5s);
  const Wire probe = f->first.back();
  probe->establish();

  f.reset();

  CHECK(probe.use_count() == 1);
}

}  // namespace
}  // namespace sluice::xds
