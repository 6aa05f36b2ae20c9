#include "source/server/init_manager.h"

#include <catch2/catch.hpp>
#include <optional>

#include "source/event/simulated_loop.h"

using namespace std::chrono_literals;

namespace sluice::server {
namespace {

using config::InitTarget;

struct World {
  void start() {
    init->start([this] {
      ++done;
      if (on_done) on_done();
    });
  }

  event::SimulatedLoop loop;
  std::vector<std::string> lines;
  observability::Logger logger{observability::LogLevel::kInfo,
                               [this](std::string_view line) { lines.emplace_back(line); }};
  std::unique_ptr<InitManager> init = std::make_unique<InitManager>(loop, logger, "listener 'web'");
  int done = 0;
  std::function<void()> on_done;
};

TEST_CASE("without targets nothing is waited for") {
  World t;
  t.start();
  CHECK(t.done == 1);
  CHECK(t.init->done());
}

TEST_CASE("all targets have to be ready, however each of them ends") {
  World t;
  InitTarget one = t.init->add("routes 'r'");
  std::optional<InitTarget> two(t.init->add("secret 's'"));
  CHECK(t.init->waits() == "routes 'r', secret 's'");
  t.start();
  one.ready();
  one.ready();
  CHECK(t.init->waits() == "secret 's'");
  CHECK(t.done == 0);
  SECTION("it is told to be ready") {
    two->ready();
  }
  SECTION("whoever had it is gone") {
    two.reset();
  }
  SECTION("another one takes its place") {
    *two = InitTarget();
  }
  CHECK(t.done == 1);
  CHECK(t.init->waits().empty());
}

TEST_CASE("targets that are ready before anybody waits are waited for by nobody") {
  World t;
  t.init->add("routes 'r'").ready();
  CHECK(t.done == 0);
  t.start();
  CHECK(t.done == 1);
}

TEST_CASE("a target that moves is waited for until its new owner has done with it") {
  World t;
  InitTarget one = t.init->add("routes 'r'");
  t.start();
  {
    const InitTarget other = std::move(one);
    one.ready();
    CHECK(t.done == 0);
    CHECK(other.pending());
  }
  CHECK(t.done == 1);
}

TEST_CASE("a deadline ends the wait for its target alone, and the log names it") {
  World t;
  InitTarget slow = t.init->add("keys of 'x'", 2s);
  InitTarget other = t.init->add("secret 's'", 5s);
  t.start();
  t.loop.advance(1999ms);
  CHECK(slow.pending());
  CHECK(t.lines.empty());
  t.loop.advance(1ms);
  CHECK_FALSE(slow.pending());
  CHECK(t.init->waits() == "secret 's'");
  REQUIRE(t.lines.size() == 1);
  CHECK(t.lines[0].find("listener 'web' waits no longer for keys of 'x', which did not come within 2000 ms") !=
        std::string::npos);
  slow.ready();
  CHECK(t.done == 0);
  other.ready();
  CHECK(t.done == 1);
  t.loop.advance(10s);
  CHECK(t.lines.size() == 1);
}

TEST_CASE("a target that comes when nothing is waited for any more is none") {
  World t;
  t.start();
  InitTarget late = t.init->add("late", 1s);
  CHECK_FALSE(late.pending());
  CHECK(t.init->waits().empty());
  t.loop.advance(2s);
  late.ready();
  CHECK(t.done == 1);
  CHECK(t.lines.empty());
}

TEST_CASE("whoever is told that all is there may destroy what waited") {
  World t;
  t.on_done = [&] { t.init.reset(); };
  SECTION("by a target") {
    InitTarget one = t.init->add("one");
    t.start();
    one.ready();
  }
  SECTION("by a deadline") {
    const InitTarget one = t.init->add("one", 1s);
    t.start();
    t.loop.advance(1s);
  }
  CHECK(t.done == 1);
  CHECK(t.init == nullptr);
}

TEST_CASE("targets outlive what waited for them without effect") {
  World t;
  InitTarget one = t.init->add("one", 1s);
  t.start();
  t.init.reset();
  CHECK_FALSE(one.pending());
  t.loop.advance(2s);
  one.ready();
  CHECK(t.done == 0);
  CHECK(t.lines.empty());
}

TEST_CASE("a target that goes on another thread ends its wait on main") {
  World t;
  std::optional<InitTarget> one(t.init->add("one"));
  t.start();
  std::thread([&one] { one.reset(); }).join();
  CHECK(t.done == 0);
  t.loop.settle();
  CHECK(t.done == 1);
}

TEST_CASE("of many targets the first are named, and the rest are counted") {
  World t;
  std::vector<InitTarget> many;
  for (int i = 0; i < 12; ++i) many.push_back(t.init->add(std::to_string(i)));
  CHECK(t.init->waits() == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more");
  many.erase(many.begin());
  many.erase(many.begin());
  CHECK(t.init->waits() == "2, 3, 4, 5, 6, 7, 8, 9, 10, 11");
}

TEST_CASE("a name that changes is shown as it stands") {
  World t;
  std::string waits = "endpoints 'c'";
  const InitTarget one = t.init->add([&waits] { return "cluster 'c' (" + waits + ")"; });
  CHECK(t.init->waits() == "cluster 'c' (endpoints 'c')");
  waits = "secret 's'";
  CHECK(t.init->waits() == "cluster 'c' (secret 's')");
}

TEST_CASE("what is absent is waited for until the time for that is over, while something serves") {
  World t;
  int done = 0;
  InitManager patient(t.loop, t.logger, "listener 'web'", true, t.loop.now() + 5s);
  InitTarget one = patient.add("routes 'r'");
  InitTarget other = patient.add("secret 's'", 3s);
  patient.start([&done] { ++done; });
  t.loop.advance(1s);

  one.absent(10s);
  other.absent(10s);
  CHECK(patient.waits() == "routes 'r', secret 's'");
  t.loop.advance(2s);
  CHECK(patient.waits() == "routes 'r'");
  one.absent(10s);
  t.loop.advance(1999ms);
  CHECK(done == 0);
  SECTION("it comes") {
    one.ready();
  }
  SECTION("it does not") {
    t.loop.advance(1ms);
    CHECK(t.lines.back().find("waits no longer for routes 'r', which did not come within 5000 ms") !=
          std::string::npos);
  }
  CHECK(done == 1);
}

TEST_CASE("what is absent is waited for no longer than whoever looks for it says") {
  World t;
  int done = 0;
  InitManager patient(t.loop, t.logger, "listener 'web'", true, t.loop.now() + 5s);
  InitTarget one = patient.add("routes 'r'");
  patient.start([&done] { ++done; });

  SECTION("for a while") {
    one.absent(1s);
    t.loop.advance(999ms);
    CHECK(done == 0);
    t.loop.advance(1ms);
  }
  SECTION("not at all") {
    one.absent(0s);
  }
  CHECK(done == 1);
}

TEST_CASE("where nothing serves meanwhile what is absent is not waited for") {
  World t;
  InitTarget one = t.init->add("routes 'r'");
  t.start();
  one.absent(10s);
  CHECK(t.done == 1);
}

}  // namespace
}  // namespace sluice::server
