#include "source/session/route_demands.h"

#include <catch2/catch.hpp>

#include <memory>
#include <vector>

namespace sluice::session {
namespace {

struct Waiter : filter::RouteWaiter {
  void onRoutes() override {
    ++told;
    if (on_routes) on_routes();
  }
  int told = 0;
  std::function<void()> on_routes;
};

struct Bed {
  bool wait(const std::string& key, filter::RouteWaiter& waiter) {
    return demands.wait({RouteDemand::Of::kScope, 1, key}, waiter,
                        [this](const RouteDemand& demand) { asked.push_back(demand.key); });
  }
  RouteDemands demands;
  std::vector<std::string> asked;
};

TEST_CASE("the first who waits asks, and all are told") {
  Bed t;
  Waiter one, two, other;
  CHECK(t.wait("a", one));
  CHECK(t.wait("a", two));
  CHECK(t.wait("b", other));
  CHECK(t.asked == std::vector<std::string>{"a", "b"});
  t.demands.done({RouteDemand::Of::kScope, 1, "a"});
  t.demands.done({RouteDemand::Of::kScope, 1, "a"});
  CHECK(one.told == 1);
  CHECK(two.told == 1);
  CHECK(other.told == 0);
}

TEST_CASE("who is told may end another who waits, and wait again") {
  Bed t;
  Waiter one;
  auto two = std::make_unique<Waiter>();
  t.wait("a", one);
  t.wait("a", *two);
  one.on_routes = [&] {
    two.reset();
    if (one.told == 1) CHECK(t.wait("a", one));
  };
  t.demands.done({RouteDemand::Of::kScope, 1, "a"});
  CHECK(one.told == 1);
  CHECK(t.asked == std::vector<std::string>{"a", "a"});
  t.demands.done({RouteDemand::Of::kScope, 1, "a"});
  CHECK(one.told == 2);
}

TEST_CASE("what may be waited for is bounded") {
  Bed t;
  std::vector<std::unique_ptr<Waiter>> waiters;
  for (size_t i = 0; i < RouteDemands::kMax; ++i) {
    waiters.push_back(std::make_unique<Waiter>());
    REQUIRE(t.wait(std::to_string(i), *waiters.back()));
  }
  Waiter late;
  CHECK_FALSE(t.wait("another", late));
  waiters[5].reset();
  CHECK(t.wait("another", late));
  CHECK(t.demands.size() == RouteDemands::kMax);
  t.demands.done({RouteDemand::Of::kScope, 1, "5"});
  t.demands.done({RouteDemand::Of::kScope, 1, "another"});
  CHECK(late.told == 1);
}

}  // namespace
}  // namespace sluice::session
