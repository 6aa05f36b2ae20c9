#include "source/server/cluster_waits.h"

#include <catch2/catch.hpp>
#include <optional>
#include <set>

#include "source/event/simulated_loop.h"

using namespace std::chrono_literals;

namespace sluice::server {
namespace {

struct World {
  explicit World(std::chrono::milliseconds limit = 5s)
      : waits(
            loop, logger, names, [this](const std::string& name) { return serving.contains(name); }, limit) {}
  std::vector<route::ClusterId> ids(const std::vector<std::string>& of) {
    std::vector<route::ClusterId> out;
    for (const std::string& name : of) out.push_back(names.idOf(name));
    std::sort(out.begin(), out.end());
    return out;
  }
  // Null: nothing is waited for.
  std::unique_ptr<InitManager> make(const std::vector<std::string>& named,
                                    const std::vector<std::string>& before = {}) {
    auto init = waits.make("routes 'r'", ids(named), ids(before), since.value_or(loop.now()));
    if (init) init->start([this] { ++done; });
    return init;
  }
  void serve(const std::string& name) {
    serving.insert(name);
    waits.onServes(name);
  }

  event::SimulatedLoop loop;
  std::vector<std::string> lines;
  observability::Logger logger{observability::LogLevel::kInfo,
                               [this](std::string_view line) { lines.emplace_back(line); }};
  route::ClusterNames names;
  std::set<std::string> serving;
  ClusterWaits waits;
  int done = 0;
  std::optional<event::TimePoint> since;  // without: from now on
};

TEST_CASE("only clusters that are newly named and do not serve are waited for") {
  World t;
  t.serve("up");
  CHECK(t.make({"up"}) == nullptr);
  CHECK(t.make({"up", "dangling"}, {"dangling"}) == nullptr);
  const auto init = t.make({"up", "dangling", "a", "b"}, {"dangling"});
  REQUIRE(init != nullptr);
  CHECK(init->waits() == "cluster 'a', cluster 'b'");
  CHECK(t.lines.back().find("routes 'r' waits for cluster 'a', cluster 'b'") != std::string::npos);
  t.serve("b");
  CHECK(t.done == 0);
  t.serve("a");
  CHECK(t.done == 1);
}

TEST_CASE("after the limit what waits goes on, and a name that did not come is waited for again after it was there") {
  World t;
  const auto first = t.make({"a"});
  t.loop.advance(4s);
  // A newer version begins no new time.
  const auto second = t.make({"a"});
  REQUIRE(second != nullptr);
  t.loop.advance(999ms);
  CHECK(t.done == 0);
  t.loop.advance(1ms);
  CHECK(t.done == 2);
  CHECK(t.lines.back().find("waits no longer for cluster 'a'") != std::string::npos);
  CHECK(t.make({"a"}) == nullptr);
  t.loop.advance(1min);
  CHECK(t.make({"a"}) == nullptr);
  t.serve("a");
  t.serving.clear();
  CHECK(t.make({"a"}) != nullptr);
}

TEST_CASE("ever new names delay what is behind no longer than one") {
  World t;
  t.since = t.loop.now();
  std::unique_ptr<InitManager> newest;
  for (int i = 0; i < 5; ++i) {
    newest = t.make({"n" + std::to_string(i)});
    REQUIRE(newest != nullptr);
    CHECK(t.done == 0);
    t.loop.advance(1s);
  }
  CHECK(t.done == 1);
  CHECK(t.make({"more"}) == nullptr);
}

TEST_CASE("without a limit nothing waits") {
  World t(0ms);
  CHECK(t.make({"a"}) == nullptr);
}

TEST_CASE("what is replaced while it waits is told nothing") {
  World t;
  t.make({"a"}).reset();
  t.serve("a");
  CHECK(t.done == 0);
}

TEST_CASE("names that never come are forgotten when there are very many") {
  World t;
  for (int i = 0; i < 10'000; ++i) t.make({"n" + std::to_string(i)});
  CHECK(t.make({"one more"}) == nullptr);
  t.loop.advance(5s);
  CHECK(t.make({"and another"}) != nullptr);
}

}  // namespace
}  // namespace sluice::server
