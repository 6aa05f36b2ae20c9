// The manager of scopes with real workers.
#include "source/server/scope_manager.h"

#include <catch2/catch.hpp>

#include "source/server/test_listeners.h"

namespace sluice::server {
namespace {

using ScopePtr = ScopeManager::ScopePtr;
using Names = std::vector<std::string>;

// Its key is one fragment. No name of a table: it has one, of its own name.
ScopePtr scope(const std::string& name, const std::string& key, const std::string& routes, bool on_demand = false) {
  auto out = std::make_shared<config::CompiledScope>();
  out->name = name;
  const std::vector<std::string> fragments{key};
  out->key = route::scopeKey(fragments);
  out->key_text = "[" + key + "]";
  out->fragments = 1;
  out->routes = routes;
  out->on_demand = on_demand;
  if (routes.empty()) out->table = table(name);
  return out;
}

struct ScopeTest : Process {
  ScopeTest() {
    routes.on_wanted = [this](const ResourceKey& key, const auto&) { asked.push_back("+" + key.name); };
    routes.on_unwanted = [this](const ResourceKey& key) { asked.push_back("-" + key.name); };
    scopes->on_wanted = [this](const auto&) { asked.emplace_back("+scopes"); };
    scopes->on_unwanted = [this](const std::string& source) {
      CHECK(source == this->source);
      asked.emplace_back("-scopes");
    };
  }
  // A connection manager with scopes by SRDS if it has none of its own.
  std::shared_ptr<const route::ScopesSlot> make(std::vector<ScopePtr> fixed = {}) {
    config::CompiledScopes config;
    config.name = "s";
    config.builder = route::ScopeKeyBuilder({{.header = "x-scope"}});
    config.rds_source.emplace().mutable_ads();
    if (fixed.empty()) config.scopes_source.emplace().mutable_ads();
    config.fixed = std::move(fixed);
    return scopes->scopes(std::move(config), {}, "h", init, config::Context(errors));
  }
  // A response by SRDS; gives what was refused.
  std::string update(const std::vector<ScopePtr>& changed, const Names& removed = {}) {
    config::ErrorList refused;
    xds::Update update;
    update.source = source;
    for (const ScopePtr& each : changed) update.changed.push_back({each->name, "", nullptr});
    scopes->begin(update);
    for (const std::string& name : removed) scopes->remove(source, name);
    for (const ScopePtr& each : changed) scopes->set(source, each, config::Context(refused));
    scopes->end(source);
    return refused.toString();
  }
  // The name of the table that requests with that key get.
  std::string tableOf(const route::ScopesSlot& slot, const std::string& key) {
    const std::vector<std::string> fragments{key};
    return onWorker<std::string>([&](Worker& worker) -> std::string {
      const auto index = worker.scopes().get(slot.id);
      if (!index) return "no scopes";
      const route::Scope* found = index->value->find(route::scopeKey(fragments));
      if (found == nullptr) return "no scope";
      if (found->table == nullptr) return "on demand";
      const auto pinned = worker.tables().get(found->table->id);
      return pinned ? std::string(pinned->value->name()) : std::string("no table");
    });
  }
  ResourceKey routesOf(const std::string& name) const { return {source, name}; }

  static std::string adsIdentity() {
    envoy::config::core::v3::ConfigSource ads;
    ads.mutable_ads();
    return keyOf(ads, "").source;
  }
  const std::string source = adsIdentity();
  Names asked;
  config::ErrorList errors;
  InitManager* init = nullptr;
  RouteManager routes{*main, workers, stats, cells};
  std::unique_ptr<ScopeManager> scopes = std::make_unique<ScopeManager>(*main, workers, routes, logger, stats, cells);
};

TEST_CASE("scopes of a configuration serve with their own tables and with those that come") {
  ScopeTest t;
  const auto slot = t.make({scope("one", "a", ""), scope("two", "b", "r")});
  CHECK(t.asked == Names{"+r"});
  CHECK(t.tableOf(*slot, "a") == "one");
  CHECK(t.tableOf(*slot, "b") == "no table");
  t.routes.setTable(t.routesOf("r"), table("r"));
  CHECK(t.tableOf(*slot, "b") == "r");
  CHECK(t.tableOf(*slot, "c") == "no scope");
}

TEST_CASE("scopes by SRDS are those of all who have the source, and are asked for once") {
  ScopeTest t;
  const auto one = t.make(), two = t.make();
  CHECK(t.asked == Names{"+scopes"});
  CHECK(t.update({scope("one", "a", "r")}) == "");
  t.routes.setTable(t.routesOf("r"), table("r"));
  const auto late = t.make();
  CHECK(t.tableOf(*one, "a") == "r");
  CHECK(t.tableOf(*two, "a") == "r");
  CHECK(t.tableOf(*late, "a") == "r");
  CHECK(t.update({}, {"one"}) == "");
  CHECK(t.tableOf(*one, "a") == "no scope");
  CHECK(t.tableOf(*late, "a") == "no scope");
}

TEST_CASE("what nobody has any more is not asked for any more") {
  ScopeTest t;
  auto one = t.make(), two = t.make();
  t.update({scope("one", "a", "r")});
  const uint32_t id = one->id;
  one.reset();
  t.sync();
  CHECK(t.asked == Names{"+scopes", "+r"});
  two.reset();
  t.sync();  // the sets go, and with them the slots of tables
  t.sync();
  CHECK(t.asked == Names{"+scopes", "+r", "-scopes", "-r"});
  CHECK(t.make()->id <= id + 1);
  CHECK(t.update({}) == "");
}

TEST_CASE("a scope that gets another table serves with the old one until that has come") {
  ScopeTest t;
  const auto slot = t.make();
  t.update({scope("one", "a", "old")});
  t.routes.setTable(t.routesOf("old"), table("old"));
  t.update({scope("one", "b", "new")});
  CHECK(t.tableOf(*slot, "b") == "old");
  CHECK(t.tableOf(*slot, "a") == "no scope");
  t.routes.setTable(t.routesOf("new"), table("new"));
  CHECK(t.tableOf(*slot, "b") == "new");
  t.sync();
  CHECK(t.asked == Names{"+scopes", "+old", "+new", "-old"});
}

TEST_CASE("a scope whose new table does not come in time serves on with the old one") {
  ScopeTest t;
  const auto slot = t.make();
  t.update({scope("one", "a", "old")});
  t.routes.setTable(t.routesOf("old"), table("old"));
  t.update({scope("one", "a", "new")});
  t.routes.giveUp(t.routesOf("new"));
  CHECK(t.tableOf(*slot, "a") == "old");
  t.update({scope("one", "a", "")});
  CHECK(t.tableOf(*slot, "a") == "one");
  t.routes.setTable(t.routesOf("new"), table("new"));
  CHECK(t.tableOf(*slot, "a") == "one");
  t.update({scope("one", "a", "late")});
  t.routes.giveUp(t.routesOf("late"));
  t.routes.setTable(t.routesOf("late"), table("late"));
  CHECK(t.tableOf(*slot, "a") == "late");
}

TEST_CASE("a scope with another's key is refused by both names, and the one before serves on") {
  ScopeTest t;
  const auto slot = t.make();
  t.update({scope("one", "a", ""), scope("two", "b", "")});
  const std::string refused = t.update({scope("two", "a", "")});
  INFO(refused);
  CHECK(refused.find("key: scope 'two' has the key of scope 'one', [a]") != std::string::npos);
  CHECK(t.tableOf(*slot, "a") == "one");
  CHECK(t.tableOf(*slot, "b") == "two");
  CHECK(t.update({scope("three", "b", "")}).find("the key of scope 'two'") != std::string::npos);
}

TEST_CASE("scopes may exchange their keys, and take that of one that goes") {
  ScopeTest t;
  const auto slot = t.make();
  t.update({scope("one", "a", ""), scope("two", "b", "")});
  CHECK(t.update({scope("one", "b", ""), scope("two", "a", "")}) == "");
  CHECK(t.tableOf(*slot, "a") == "two");
  CHECK(t.tableOf(*slot, "b") == "one");
  CHECK(t.update({scope("three", "a", "")}, {"two"}) == "");
  CHECK(t.tableOf(*slot, "a") == "three");
}

TEST_CASE("a scope whose change was refused loses its key to one that got it") {
  ScopeTest t;
  const auto slot = t.make();
  t.update({scope("one", "a", ""), scope("two", "b", ""), scope("three", "c", "")});
  // The key that "one" wants is that of "three", and "two" takes the one that it has.
  CHECK(t.update({scope("one", "c", ""), scope("two", "a", "")}).find("the key of scope 'three'") != std::string::npos);
  CHECK(t.tableOf(*slot, "a") == "two");
  CHECK(t.tableOf(*slot, "c") == "three");
  CHECK(t.tableOf(*slot, "b") == "no scope");
}

TEST_CASE("what is compiled waits for the scopes, and for their tables") {
  ScopeTest t;
  InitManager init(*t.main, t.logger, "test");
  t.init = &init;
  const auto slot = t.make();
  CHECK(init.waits() == "scopes 's'");
  t.update({scope("one", "a", "r"), scope("two", "b", "q"), scope("three", "c", "d", true)});
  CHECK(init.waits() == "scopes 's'");
  t.routes.setTable(t.routesOf("r"), table("r"));
  CHECK(init.waits() == "scopes 's'");
  t.routes.giveUp(t.routesOf("q"));
  CHECK(init.waits().empty());
}

TEST_CASE("what is compiled does not wait for a table that takes the place of one that serves") {
  ScopeTest t;
  InitManager init(*t.main, t.logger, "test");
  t.init = &init;
  const auto slot = t.make();
  t.update({scope("one", "a", "r"), scope("two", "b", "q")});
  t.routes.setTable(t.routesOf("r"), table("r"));
  t.update({scope("one", "a", "never")});
  CHECK(init.waits() == "scopes 's'");
  t.routes.setTable(t.routesOf("q"), table("q"));
  CHECK(init.waits().empty());
}

TEST_CASE("the first tables of scopes come without another index of all of them") {
  ScopeTest t;
  const auto slot = t.make();
  t.update({scope("one", "a", "r"), scope("two", "b", "q")});
  const auto before = t.stats.valueOf("http.h.scoped_rds.s.config_reload");
  t.routes.setTable(t.routesOf("r"), table("r"));
  t.routes.giveUp(t.routesOf("q"));
  CHECK(t.stats.valueOf("http.h.scoped_rds.s.config_reload") == before);
  CHECK(t.tableOf(*slot, "a") == "r");
  t.routes.setTable(t.routesOf("q"), table("q"));
  CHECK(t.tableOf(*slot, "b") == "q");
}

TEST_CASE("scopes that do not come are not waited for") {
  ScopeTest t;
  InitManager init(*t.main, t.logger, "test");
  t.init = &init;
  const auto slot = t.make();
  t.scopes->giveUp(t.source);
  CHECK(init.waits().empty());
}

TEST_CASE("a scope on demand has no table until somebody asks") {
  ScopeTest t;
  const auto slot = t.make({scope("one", "a", "r", true), scope("two", "b", "")});
  CHECK(t.asked.empty());
  CHECK(t.tableOf(*slot, "a") == "on demand");
}

// Waits on worker 0 for the table of that key, and tells.
struct Wanting : filter::RouteWaiter {
  void onRoutes() override { ++told; }
  int told = 0;
};

TEST_CASE("a table on demand is asked for once, and whoever waits is told when the worker has it") {
  ScopeTest t;
  const auto slot = t.make({scope("one", "a", "r", true)});
  const std::vector<std::string> fragments{"a"};
  const std::string key = route::scopeKey(fragments);
  Wanting waiter;
  t.onWorker<bool>([&](Worker& worker) {
    return worker.routeDemands().wait({session::RouteDemand::Of::kScope, slot->id, key}, waiter, [](const auto&) {});
  });
  slot->ask(key, 0);
  slot->ask(key, 0);
  CHECK(t.asked == Names{"+r"});
  CHECK(t.tableOf(*slot, "a") == "on demand");
  CHECK(waiter.told == 0);
  t.routes.setTable(t.routesOf("r"), table("r"));
  CHECK(t.tableOf(*slot, "a") == "r");
  CHECK(waiter.told == 1);
}

TEST_CASE("whoever waits for a table that does not come, or whose scope goes, is told") {
  ScopeTest t;
  const auto slot = t.make();
  t.update({scope("one", "a", "r", true), scope("two", "b", "q", true)});
  const auto waitFor = [&](const std::string& of, Wanting& waiter) {
    const std::vector<std::string> fragments{of};
    const std::string key = route::scopeKey(fragments);
    t.onWorker<bool>([&](Worker& worker) {
      return worker.routeDemands().wait({session::RouteDemand::Of::kScope, slot->id, key}, waiter, [](const auto&) {});
    });
    slot->ask(key, 0);
  };
  Wanting absent, gone, unknown;
  waitFor("a", absent);
  waitFor("b", gone);
  waitFor("c", unknown);
  t.routes.giveUp(t.routesOf("r"));
  t.sync();
  CHECK(absent.told == 1);
  CHECK(unknown.told == 1);
  CHECK(gone.told == 0);
  t.update({}, {"two"});
  t.sync();
  CHECK(gone.told == 1);
  CHECK(t.tableOf(*slot, "a") == "no table");
}

TEST_CASE("the scopes of a connection manager are counted while it lives") {
  ScopeTest t;
  const auto told = [&t](const std::string& name) {
    return t.stats.valueOf("http.h.scoped_rds.s." + name).value_or(-1);
  };
  auto slot = t.make({scope("one", "a", "r", true), scope("two", "b", "")});
  CHECK(told("all_scopes") == 2);
  CHECK(told("on_demand_scopes") == 1);
  CHECK(told("active_scopes") == 1);
  CHECK(told("config_reload") == 1);
  auto next = t.make({scope("one", "a", "")});
  CHECK(told("all_scopes") == 3);
  slot.reset();
  t.sync();
  CHECK(told("all_scopes") == 1);
  next.reset();
  t.sync();
  CHECK(told("all_scopes") == -1);
}

TEST_CASE("without an xDS client scopes by SRDS are an error") {
  ScopeTest t;
  t.scopes->on_wanted = nullptr;
  CHECK(t.make() == nullptr);
  CHECK(t.errors.toString().find("no xDS client") != std::string::npos);
}

TEST_CASE("slots of scopes may outlive their manager") {
  ScopeTest t;
  auto slot = t.make({scope("one", "a", "")});
  t.scopes.reset();
  slot.reset();
  t.sync();
}

TEST_CASE("where something serves meanwhile scopes and tables that there are not are waited for") {
  ScopeTest t;
  t.routes.patience = 60s;
  InitManager init(*t.main, t.logger, "test", true, t.main->now() + 60s);
  t.init = &init;
  const auto slot = t.make();
  t.scopes->giveUp(t.source);
  CHECK(init.waits() == "scopes 's'");
  t.update({});
  CHECK(init.waits() == "scopes 's'");
  t.update({scope("one", "a", "r")});
  t.routes.giveUp(t.routesOf("r"));
  CHECK(init.waits() == "scopes 's'");
  CHECK(t.scopes->waitsOf(t.source, "one") == "routes 'r'");
  t.routes.setTable(t.routesOf("r"), table("r"));
  CHECK(init.waits().empty());
  CHECK(t.scopes->waitsOf(t.source, "one").empty());
  CHECK(t.tableOf(*slot, "a") == "r");
}

}  // namespace
}  // namespace sluice::server
