#include "source/extensions/filters/http/on_demand/filter.h"

#include <catch2/catch.hpp>

#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

using namespace std::chrono_literals;

namespace sluice::extensions::http_filters::on_demand {
namespace {

using filter::testing::Harness;

// Has no route for anything.
const route::Table& emptyTable() {
  static const std::shared_ptr<const route::Table> table = *route::Table::build({});
  return *table;
}

// Stands in front.
class InFront : public filter::HttpFilter {};

struct Bed {
  // A request without a route.
  void request() {
    harness.stream.setRoute({.table = &emptyTable()});
    harness.request("GET", {}, true);
  }
  // The routes that were asked for are there; `table` has one.
  void come(const route::Table& table) {
    harness.stream.setRoute({.table = &table});
    filter::RouteWaiter& waiter = harness.stream.route_waiters.front();
    waiter.unlink();
    waiter.onRoutes();
  }

  Harness harness{{std::make_shared<filter::Factory<InFront>>(), std::make_shared<FilterFactory>()}};
  const std::shared_ptr<const route::Table> table = filter::testing::tableOf();
};

TEST_CASE("a request that has a route goes on at once") {
  Bed t;
  t.harness.stream.routes_may_come = true;
  t.harness.request("GET", {}, true);
  CHECK(t.harness.terminal.complete);
  CHECK(t.harness.stream.route_waiters.empty());
}

TEST_CASE("a request for which no routes may come goes on without one") {
  Bed t;
  t.request();
  CHECK(t.harness.terminal.complete);
}

TEST_CASE("a request waits for its routes, and goes on with that which takes it") {
  Bed t;
  t.harness.stream.routes_may_come = true;
  t.request();
  CHECK(t.harness.terminal.heads == 0);
  t.come(*t.table);
  CHECK(t.harness.terminal.complete);
  CHECK(t.harness.stream.route());
}

TEST_CASE("a request whose scope has come waits for its host, once") {
  Bed t;
  t.harness.stream.routes_may_come = true;
  t.request();
  t.come(emptyTable());
  CHECK(t.harness.terminal.heads == 0);
  t.come(*t.table);
  CHECK(t.harness.terminal.complete);
  CHECK(t.harness.stream.route());

  Bed other;
  other.harness.stream.routes_may_come = true;
  other.request();
  other.come(emptyTable());
  other.come(emptyTable());
  CHECK(other.harness.terminal.complete);
  CHECK_FALSE(other.harness.stream.route());
}

TEST_CASE("a request whose routes do not come waits for a time only") {
  Bed t;
  t.harness.stream.routes_may_come = true;
  t.request();
  t.harness.stream.testWorker().loop.advance(Filter::kTimeout - 1ms);
  CHECK(t.harness.terminal.heads == 0);
  t.harness.stream.testWorker().loop.advance(1ms);
  CHECK(t.harness.terminal.complete);
  CHECK_FALSE(t.harness.stream.route());
  CHECK(t.harness.stream.route_waiters.empty());
}

TEST_CASE("a request that passed filters in front by other settings than its routes have is not served") {
  struct Settings : route::PerFilterConfig {};
  const auto run = [](bool concerned) {
    const std::shared_ptr<const route::PerFilterConfig> settings = concerned ? std::make_shared<Settings>() : nullptr;
    const auto table = filter::testing::tableOf({settings, std::make_shared<Settings>()});
    Bed t;
    Harness& h = t.harness;
    h.stream.routes_may_come = true;
    t.request();
    t.come(*table);
    return std::to_string(h.terminal.heads) + " " + std::to_string(h.client.status) + " " +
           std::string(h.stream.info().response_code_details);
  };
  CHECK(run(false) == "1 0 ");
  CHECK(run(true) == "0 503 on_demand_not_in_front");
}

TEST_CASE("a request that ends while it waits waits no longer") {
  Bed t;
  t.harness.stream.routes_may_come = true;
  t.request();
  CHECK_FALSE(t.harness.stream.route_waiters.empty());
  t.harness.runner.reset();
  CHECK(t.harness.stream.route_waiters.empty());
}

TEST_CASE("it passes the interleaving suite") {
  filter::testing::Suite suite;
  suite.chain = [] {
    return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{std::make_shared<FilterFactory>()};
  };
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::on_demand
