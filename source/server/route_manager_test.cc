// The route manager with real workers.
#include <catch2/catch.hpp>
#include <set>

#include "source/event/simulated_loop.h"
#include "source/server/test_listeners.h"

namespace sluice::server {
namespace {

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
  CHECK(t.routes->servingIn(*slot)->name() == "a");
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
  CHECK(t.routes->servingIn(*t.rds("r"))->name() == "second");
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

// Tables that lead to clusters.
struct WaitingTest : RouteTest {
  WaitingTest() {
    routes->on_wanted = [](const ResourceKey&, const auto&) {};
    routes->cluster_waits = &waits;
  }
  std::shared_ptr<const route::Table> leadingTo(const std::string& name, const std::vector<std::string>& clusters,
                                                bool on_demand = false) {
    route::TableSpec spec;
    spec.name = name;
    spec.hosts_on_demand = on_demand;
    route::VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
    host.name = "v";
    host.domains = {"*"};
    for (const std::string& cluster : clusters) {
      route::ForwardSpec action;
      action.cluster = names.idOf(cluster);
      action.cluster_name = cluster;
      host.routes.emplace_back().path = "/" + cluster;
      host.routes.back().action = std::move(action);
    }
    return *route::Table::build(std::move(spec));
  }
  void serve(const std::string& cluster) {
    serving.insert(cluster);
    waits.onServes(cluster);
  }

  route::ClusterNames names;
  std::set<std::string> serving;
  std::chrono::milliseconds limit{5s};
  ClusterWaits waits{*main, logger, names, [this](const std::string& name) { return serving.contains(name); }, limit};
};

TEST_CASE("a table that leads to a new cluster waits for it while the one before serves") {
  WaitingTest t;
  const auto slot = t.rds("r");
  t.serve("up");
  t.routes->setTable(of("r"), t.leadingTo("first", {"up"}));
  t.routes->setTable(of("r"), t.leadingTo("second", {"up", "new"}));
  CHECK(t.at(slot->id) == "first");
  CHECK(t.routes->waitsOf(of("r")) == "cluster 'new'");
  SECTION("until it serves") {
    t.serve("new");
    CHECK(t.at(slot->id) == "second");
    CHECK(t.routes->waitsOf(of("r")).empty());
  }
  SECTION("or until a newer one that waits for nothing takes its place") {
    t.routes->setTable(of("r"), t.leadingTo("third", {"up"}));
    CHECK(t.at(slot->id) == "third");
    t.serve("new");
    CHECK(t.at(slot->id) == "third");
  }
  SECTION("and a slot that is taken anew meanwhile has the one that serves") {
    auto again = t.rds("r");
    CHECK(t.at(again->id) == "first");
  }
  SECTION("and is gone with its last user") {
    const_cast<std::shared_ptr<const route::TableSlot>&>(slot).reset();
    t.sync();
    t.serve("new");
  }
}

TEST_CASE("tables that replace each other while they wait do not keep the newest from serving for ever") {
  WaitingTest t;
  ClusterWaits waits(
      *t.main, t.logger, t.names, [](const std::string&) { return false; }, 40ms);
  t.routes->cluster_waits = &waits;
  const auto slot = t.rds("r");
  t.routes->setTable(of("r"), t.leadingTo("first", {}));
  int versions = 0;
  for (; versions < 100 && t.at(slot->id) == "first"; ++versions) {
    t.routes->setTable(of("r"), t.leadingTo("later", {"new" + std::to_string(versions)}));
    event::Timer end(t.main->timers(), [&t] { t.main->stop(); });
    end.arm(10ms);
    t.main->run();
  }
  CHECK(versions < 100);
  CHECK(t.at(slot->id) == "later");
}

TEST_CASE("a table with virtual hosts on demand, for which requests wait, takes over at once") {
  WaitingTest t;
  const auto slot = t.rds("r");
  t.routes->setTable(of("r"), t.leadingTo("first", {}, true));
  t.routes->setTable(of("r"), t.leadingTo("second", {"new"}, true));
  CHECK(t.at(slot->id) == "second");
}

TEST_CASE("a first table serves at once, and what replaces something waits for its clusters, too") {
  WaitingTest t;
  InitManager first(*t.main, t.logger, "first"), next(*t.main, t.logger, "next", true),
      later(*t.main, t.logger, "later", true);
  t.init = &first;
  const auto slot = t.rds("r");
  t.init = &next;
  const auto same = t.rds("r");
  t.routes->setTable(of("r"), t.leadingTo("table", {"new"}));
  CHECK(t.at(slot->id) == "table");
  CHECK(first.waits().empty());
  CHECK(next.waits() == "routes 'r'");
  t.init = &later;
  const auto still = t.rds("r");
  CHECK(later.waits() == "routes 'r'");
  SECTION("until they serve") {
    t.serve("new");
  }
  SECTION("or are not wanted any more") {
    t.routes->setTable(of("r"), t.leadingTo("corrected", {}));
  }
  CHECK(next.waits().empty());
  CHECK(later.waits().empty());
}

TEST_CASE("a table is judged by the newest chain of each stat prefix that uses it") {
  RouteTest t;
  t.routes->on_wanted = [](const ResourceKey&, const auto&) {};
  const config::ChainFilters before{{"old", nullptr}}, now{{"new", nullptr}}, other{{"other", nullptr}};
  const auto namesOf = [&t] {
    std::vector<std::string> out;
    for (const config::ChainFilters& chain : t.routes->chainsOf(of("r"))) out.push_back(chain.begin()->first);
    return out;
  };
  auto slot = t.routes->usedBy(t.rds("r"), before, "a");
  auto newer = t.routes->usedBy(t.rds("r"), now, "a");
  const auto of_other = t.routes->usedBy(t.rds("r"), other, "b");

  CHECK(namesOf() == std::vector<std::string>{"new", "other"});
  newer.reset();
  CHECK(namesOf() == std::vector<std::string>{"old", "other"});
  CHECK(t.routes->chainsOf(of("q")).empty());
  CHECK(t.routes->tableOf(*slot) == nullptr);
  t.routes->setTable(of("r"), table("first"));
  REQUIRE(t.routes->tableOf(*slot));
  CHECK(t.routes->tableOf(*slot)->name() == "first");
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

// Without workers, in virtual time.
struct AbsentTest {
  AbsentTest() {
    routes.on_wanted = [](const ResourceKey&, const auto&) {};
    routes.patience = 5s;
    routes.cluster_waits = &waits;
  }
  // Of what takes the place of something that serves.
  std::unique_ptr<InitManager> next() {
    return std::make_unique<InitManager>(loop, logger, "listener 'l'", true, loop.now() + 5s);
  }
  std::shared_ptr<const route::TableSlot> rds(InitManager& init) {
    config::ErrorList errors;
    return routes.rds("r", {}, &init, config::Context(errors));
  }

  event::SimulatedLoop loop;
  observability::Logger logger{observability::LogLevel::kOff};
  observability::StatsRegistry stats;
  observability::StatsCells& cells = stats.makeCells();
  Workers workers;
  route::ClusterNames names;
  ClusterWaits waits{loop, logger, names, [](const std::string&) { return false; }, 5s};
  RouteManager routes{loop, workers, stats, cells};
};

TEST_CASE("a table that there is not is waited for where something serves in the place of what names it") {
  AbsentTest t;
  InitManager first(t.loop, t.logger, "first");
  const auto next = t.next();
  const auto slot = t.rds(first);
  t.rds(*next);
  t.loop.advance(1s);

  t.routes.giveUp(of("r"));
  CHECK(first.waits().empty());
  CHECK(next->waits() == "routes 'r'");
  const auto later = t.next();
  t.rds(*later);
  CHECK(later->waits() == "routes 'r'");
  InitManager other(t.loop, t.logger, "other");
  t.rds(other);
  CHECK(other.waits().empty());
  t.loop.advance(3999ms);
  CHECK(next->waits() == "routes 'r'");
  SECTION("until it comes") {
    t.routes.setTable(of("r"), table("r"));
  }
  SECTION("or the limit is over, which begins anew for nobody") {
    t.loop.advance(1ms);
    const auto newest = t.next();
    t.rds(*newest);
    CHECK(newest->waits().empty());
  }
  CHECK(next->waits().empty());
  CHECK(later->waits().empty());
}

TEST_CASE("what waited for a table waits for its clusters in what is left of its time") {
  AbsentTest t;
  const auto next = t.next();
  const auto slot = t.rds(*next);
  route::TableSpec spec;
  spec.name = "r";
  route::VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
  host.name = "v";
  host.domains = {"*"};
  route::ForwardSpec action;
  action.cluster = t.names.idOf("c");
  action.cluster_name = "c";
  host.routes.emplace_back().path = "/";
  host.routes.back().action = std::move(action);

  SECTION("some") {
    t.loop.advance(3s);
    t.routes.setTable(of("r"), *route::Table::build(std::move(spec)));
    t.loop.advance(1999ms);
    CHECK(next->waits() == "routes 'r'");
    t.loop.advance(1ms);
  }
  SECTION("none") {
    t.loop.advance(6s);
    CHECK(next->waits() == "routes 'r'");
    t.routes.setTable(of("r"), *route::Table::build(std::move(spec)));
  }
  CHECK(next->waits().empty());
}

}  // namespace
}  // namespace sluice::server
