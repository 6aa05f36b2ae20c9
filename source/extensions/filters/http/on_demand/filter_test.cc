#include "source/extensions/filters/http/on_demand/filter.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/http/on_demand/v3/on_demand.pb.h"
#include "source/extensions/filters/http/on_demand/factory.h"
#include "source/upstream/test_cluster.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

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

// --- clusters

using SettingsPtr = std::shared_ptr<const route::RouteSettings<Settings>>;

Settings asking(std::chrono::milliseconds timeout = 5000ms) {
  return {.clusters = std::make_shared<const route::ClusterSource>(), .cluster_timeout = timeout};
}

// Leads to the cluster that x-cluster names; `settings`: its own.
std::shared_ptr<const route::Table> byHeader(SettingsPtr settings = nullptr) {
  route::RouteSpec route;
  route.path = "/";
  route.action = route::ForwardSpec{.cluster_header = "x-cluster"};
  if (settings) route.per_filter.emplace_back(static_cast<route::FilterSlot>(0), std::move(settings));
  route::TableSpec spec;
  spec.virtual_hosts.push_back({.name = "v", .domains = {"*"}});
  spec.virtual_hosts.back().routes.push_back(std::move(route));
  return *route::Table::build(std::move(spec));
}

// A worker that has the cluster "c".
struct ClusterBed {
  explicit ClusterBed(Settings settings, SettingsPtr of_route = nullptr)
      : table(byHeader(std::move(of_route))), harness({std::make_shared<FilterFactory>(std::move(settings))}) {
    cluster.hosts({});
    harness.stream.worker().add(cluster.clusters);
    harness.stream.clusters_may_come = true;
  }
  void request(std::string_view cluster, bool end = true) {
    http::RequestHeaders& head = harness.stream.request();
    head.path = "/";
    head.authority = "a.example";
    if (!cluster.empty()) head.add("x-cluster", cluster);
    harness.stream.setRoute(table->match(head, 0));
    harness.request("GET", {}, end);
  }
  bool waits() { return !harness.stream.route_waiters.empty() && harness.terminal.heads == 0; }
  void come() {
    filter::RouteWaiter& waiter = harness.stream.route_waiters.front();
    waiter.unlink();
    waiter.onRoutes();
  }

  upstream::TestCluster cluster;
  std::shared_ptr<const route::Table> table;
  Harness harness;
};

TEST_CASE("a request waits for its cluster, and goes on with its body when that is there") {
  ClusterBed t(asking());
  t.request("late", false);
  t.harness.runner->requestData("body", true);
  CHECK(t.waits());
  t.come();
  CHECK(t.harness.terminal.body == "body");
  CHECK(t.harness.terminal.complete);
}

TEST_CASE("a request goes on at once if its cluster is there, or it leads to none, or none can be asked for") {
  for (const std::string_view name : {"c", ""}) {
    ClusterBed t(asking());
    t.request(name);
    CHECK(t.harness.terminal.complete);
    CHECK(t.harness.stream.route_waiters.empty());
  }
  ClusterBed t(asking());
  t.harness.stream.clusters_may_come = false;
  t.request("late");
  CHECK(t.harness.terminal.complete);
}

TEST_CASE("a route says itself whether its cluster is asked for") {
  ClusterBed off(asking(), std::make_shared<route::RouteSettings<Settings>>(Settings{}));
  off.request("late");
  CHECK(off.harness.terminal.complete);

  ClusterBed on(Settings{}, std::make_shared<route::RouteSettings<Settings>>(asking()));
  on.request("late");
  CHECK(on.waits());

  ClusterBed none(Settings{});
  none.request("late");
  CHECK(none.harness.terminal.complete);
}

TEST_CASE("a request waits for its cluster as long as is said, and goes on to be answered that there is none") {
  ClusterBed t(asking(200ms));
  t.request("late");
  t.harness.stream.testWorker().loop.advance(199ms);
  CHECK(t.waits());
  t.harness.stream.testWorker().loop.advance(1ms);
  CHECK(t.harness.terminal.complete);
  CHECK(t.harness.stream.route_waiters.empty());
}

TEST_CASE("a request whose route has come waits for its cluster, too") {
  ClusterBed t(asking());
  t.harness.stream.routes_may_come = true;
  http::RequestHeaders& head = t.harness.stream.request();
  head.add("x-cluster", "late");
  t.harness.stream.setRoute({.table = &emptyTable()});
  t.harness.request("GET", {}, true);
  CHECK(t.waits());
  t.harness.stream.setRoute({.table = t.table.get()});
  t.come();
  CHECK(t.waits());
  t.come();
  CHECK(t.harness.terminal.complete);
  CHECK(t.harness.stream.route());
}

TEST_CASE("a request that ends while it waits for its cluster waits no longer") {
  ClusterBed t(asking());
  t.request("late");
  CHECK(t.waits());
  t.harness.runner.reset();
  CHECK(t.harness.stream.route_waiters.empty());
}

TEST_CASE("a request that is answered while it waits for its cluster does not go on when that comes") {
  ClusterBed t(asking());
  t.request("late", false);
  t.harness.runner->localReply(filter::Reply{504, "timeout", "timeout"});
  CHECK(t.harness.client.status == 504);
  if (!t.harness.stream.route_waiters.empty()) t.come();
  t.harness.stream.testWorker().loop.advance(10s);
  CHECK(t.harness.terminal.heads == 0);
  CHECK(t.harness.client.heads == 1);
}

namespace v3 = envoy::extensions::filters::http::on_demand::v3;
struct World : filter::testing::FilterWorld<v3::OnDemand, v3::PerRouteConfig> {
  World() : FilterWorld(registerFactory) {}
};

const std::string kSource = "source: {resource_api_version: V3, ads: {}}";

TEST_CASE("who is asked for clusters is said for the filter and for routes") {
  World world;
  CHECK(world.compile("{}"));
  CHECK(world.compile("{odcds: {" + kSource + ", timeout: 1s}}"));
  CHECK(world.compileRoute("{}"));
  const auto of_route = world.compileRoute("{odcds: {" + kSource + ", timeout: 1s}}");
  REQUIRE(world.problems() == "");
  const auto* settings = route::settingsAs<route::RouteSettings<Settings>>(of_route.get());
  REQUIRE(settings);
  CHECK(settings->value.clusters);
  CHECK(settings->value.cluster_timeout == 1s);
}

TEST_CASE("a source that does not bring single clusters is refused") {
  const auto problem = [](const std::string& odcds) {
    World world;
    CHECK_FALSE(world.compile("{odcds: {" + odcds + "}}"));
    CHECK_FALSE(world.compileRoute("{odcds: {" + odcds + "}}"));
    return world.problems();
  };
  const auto has = [](const std::string& text) { return Catch::Matchers::Contains(text); };
  CHECK_THAT(problem(""), has("odcds.source"));
  CHECK_THAT(problem("source: {}"), has("odcds.source"));
  CHECK_THAT(problem("source: {path_config_source: {path: /x}}"), has("is not incremental"));
  CHECK_THAT(problem("source: {self: {}}"), has("is not supported here"));
  CHECK_THAT(problem("source: {api_config_source: {api_type: GRPC, transport_api_version: V3, grpc_services: "
                     "[{envoy_grpc: {cluster_name: x}}]}}"),
             has("is not incremental"));
  CHECK_THAT(problem(kSource + ", resources_locator: 'xdstp://a/b'"), has("xdstp"));
  CHECK_THAT(problem(kSource + ", timeout: -1s"), has("timeout"));
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
