// Requests that use the route tables of their scopes.
#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/filter/context.h"
#include "source/filter/http_filter.h"
#include "source/filter/route_waiter.h"
#include "source/session/test_session.h"

namespace sluice::session {
namespace {

// Makes the request one of scope b, and has its route chosen anew.
class Moving : public filter::HttpFilter {
 public:
  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override {
    const auto before = context.route().virtual_host;
    if (!headers.get("x-move")) return filter::Next{};
    headers.set("x-scope", *headers.get("x-move"));
    CHECK(context.rematchRoute());
    if (before != nullptr) CHECK(before->name == "a");  // its table is there still
    return filter::Next{};
  }
};

// Waits for routes if the request has none.
class Waiting : public filter::HttpFilter, private filter::RouteWaiter {
 public:
  filter::HookResult onRequestHeaders(http::RequestHeaders&, filter::Context& context) override {
    if (!context.awaitRoutes(*this)) return filter::Next{};
    context_ = &context;
    token_ = context.resumeToken();
    return filter::Pause{};
  }

 private:
  void onRoutes() override {
    if (token_ && context_->rematchRoute()) token_.resume();
  }
  filter::Context* context_ = nullptr;
  filter::ResumeToken token_;
};

// Waits for the cluster that x-cluster names.
class WaitingForCluster : public filter::HttpFilter, private filter::RouteWaiter {
 public:
  explicit WaitingForCluster(const std::shared_ptr<const route::ClusterSource>& source) : source_(source) {}
  filter::HookResult onRequestHeaders(http::RequestHeaders&, filter::Context& context) override {
    if (!context.awaitCluster(source_, *this)) return filter::Next{};
    token_ = context.resumeToken();
    return filter::Pause{};
  }

 private:
  void onRoutes() override {
    if (token_) token_.resume();
  }
  const std::shared_ptr<const route::ClusterSource>& source_;
  filter::ResumeToken token_;
};

struct Scoped : TestSession {
  Scoped() {
    std::vector<filter::ChainConfig::Entry> entries;
    entries.push_back({"moving", std::make_shared<filter::Factory<Moving>>()});
    entries.push_back({"waiting", std::make_shared<filter::Factory<Waiting>>()});
    settings->chain = filter::fixedChain(std::move(entries));
    settings->route_slot = nullptr;
    auto slot = std::make_shared<route::ScopesSlot>();
    slot->id = 3;
    slot->builder = route::ScopeKeyBuilder({{.header = "x-scope"}});
    settings->scopes = std::move(slot);
    terminals.on_end = [this](TestTerminal& terminal) {
      const route::Match& match = terminal.stream.route();
      seen.push_back(match.virtual_host == nullptr ? "none" : std::string(match.virtual_host->name));
      terminal.answer(200, "");
    };
  }
  static constexpr uint32_t kOnDemand = 0;
  static std::string keyOf(const std::string& name) {
    const std::vector<std::string> key{name};
    return route::scopeKey(key);
  }
  // Scopes of these names, each with a table of its name at the place of that number.
  void setScopes(const std::vector<std::pair<std::string, uint32_t>>& scopes) {
    route::ScopeIndex::Scopes index;
    for (const auto& [name, id] : scopes) {
      auto table = std::make_shared<route::TableSlot>(route::TableSlot{id});
      index[keyOf(name)].table = id == kOnDemand ? nullptr : std::move(table);
    }
    worker.scopes.set(3, std::make_shared<const route::ScopeIndex>(std::move(index)));
  }
  void setTable(uint32_t id, const std::string& name) {
    route::TableSpec spec;
    route::VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
    host.name = name;
    host.domains = {"*"};
    route::RouteSpec& all = host.routes.emplace_back();
    all.path = "/";
    all.action = route::ForwardSpec{.cluster = 1, .cluster_name = "one"};
    tables.set(id, *route::Table::build(std::move(spec)));
  }
  void request(const std::string& fields) {
    auto client = connect();
    client->send("GET / HTTP/1.1\r\nhost: h\r\n" + fields + "\r\n");
    loop.turn();
  }

  std::vector<std::string> seen;
};

}  // namespace

TEST_CASE("a request uses the table of its scope, and none if it is of no scope or there is no table") {
  Scoped session;
  session.request("x-scope: a\r\n");  // no scopes have come
  session.setTable(10, "a");
  session.setTable(11, "b");
  session.setScopes({{"a", 10}, {"b", 11}, {"empty", 12}});

  session.request("x-scope: a\r\n");
  session.request("x-scope: b\r\n");
  session.request("x-scope: c\r\n");
  session.request("x-scope: empty\r\n");
  session.request("");

  CHECK(session.seen == std::vector<std::string>{"none", "a", "b", "none", "none", "none"});
}

TEST_CASE("a filter that makes the request one of another scope has it routed there") {
  Scoped session;
  session.setTable(10, "a");
  session.setTable(11, "b");
  session.setScopes({{"a", 10}, {"b", 11}});

  session.request("x-scope: a\r\nx-move: b\r\n");
  session.request("x-scope: a\r\nx-move: c\r\n");
  session.request("x-scope: c\r\nx-move: b\r\n");

  CHECK(session.seen == std::vector<std::string>{"b", "none", "b"});
}

TEST_CASE("a redirect that is followed leads into the scope of its target") {
  Scoped session;
  auto slot = std::make_shared<route::ScopesSlot>();
  slot->id = 3;
  slot->builder = route::ScopeKeyBuilder({{.header = ":authority"}});
  session.settings->scopes = std::move(slot);
  session.setTable(10, "a");
  session.setTable(11, "b");
  session.setScopes({{"a", 10}, {"b", 11}});
  route::InternalRedirectPolicy policy;
  policy.max_redirects = 2;
  session.terminals.on_end = [&](TestTerminal& terminal) {
    session.seen.emplace_back(terminal.stream.route().virtual_host->name);
    http::ResponseHeaders& head = terminal.stream.response();
    head.status = 302;
    head.add("location", terminal.stream.request().authority == "a" ? "http://b/" : "http://c/");
    if (!terminal.downstream.redirect({policy, true, {}})) terminal.answer(200, "");
  };

  auto client = session.connect();
  client->send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  session.loop.turn();
  session.loop.turn();

  CHECK(session.seen == std::vector<std::string>{"a", "b"});  // "c" is of no scope: that is for the client
}

TEST_CASE("a request of a scope on demand may wait for its table") {
  Scoped session;
  session.setTable(11, "b");
  session.setScopes({{"a", Scoped::kOnDemand}, {"b", 11}});

  auto client = session.connect();
  client->send("GET / HTTP/1.1\r\nhost: h\r\nx-scope: a\r\n\r\n");
  session.loop.turn();
  session.request("x-scope: b\r\n");
  session.request("x-scope: c\r\n");  // of no scope: there is nothing to wait for

  CHECK(session.seen == std::vector<std::string>{"b", "none"});
  CHECK(session.worker.route_demands.size() == 1);
  session.setTable(10, "a");
  session.setScopes({{"a", 10}, {"b", 11}});
  session.worker.route_demands.done({RouteDemand::Of::kScope, 3, Scoped::keyOf("a")});
  session.loop.turn();
  CHECK(session.seen == std::vector<std::string>{"b", "none", "a"});
}

TEST_CASE("a request whose host its table has on demand may wait for it, and is asked for in lower case") {
  Scoped session;
  session.settings->scopes = nullptr;
  session.settings->route_slot = std::make_shared<route::TableSlot>(route::TableSlot{10});
  const auto setTable = [&session](bool on_demand, const std::vector<std::string>& hosts) {
    route::TableSpec spec;
    spec.hosts_on_demand = on_demand;
    for (const std::string& name : hosts) {
      route::VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
      host.name = name;
      host.domains = {name};
      route::RouteSpec& all = host.routes.emplace_back();
      all.path = "/";
      all.action = route::ForwardSpec{.cluster = 1, .cluster_name = "one"};
    }
    session.tables.set(10, *route::Table::build(std::move(spec)));
  };
  setTable(false, {"own"});
  session.request("");  // of no host
  CHECK(session.seen == std::vector<std::string>{"none"});
  setTable(true, {"own"});

  auto client = session.connect();
  client->send("GET / HTTP/1.1\r\nhost: A.example\r\n\r\n");
  session.loop.turn();

  CHECK(session.seen.size() == 1);
  CHECK(session.worker.route_demands.size() == 1);
  setTable(true, {"own", "a.example"});
  session.worker.route_demands.done({RouteDemand::Of::kHost, 10, "a.example"});
  session.loop.turn();
  CHECK(session.seen == std::vector<std::string>{"none", "a.example"});
}

TEST_CASE("a name that is no text is not asked for") {
  Scoped session;
  session.settings->scopes = nullptr;
  session.settings->route_slot = std::make_shared<route::TableSlot>(route::TableSlot{10});
  route::TableSpec spec;
  spec.hosts_on_demand = true;
  spec.vhost_header = "x-host";
  session.tables.set(10, *route::Table::build(std::move(spec)));

  for (const std::string name : {"a\xff", "a\tb", "a/b", ""}) session.request("x-host: " + name + "\r\n");

  CHECK(session.seen == std::vector<std::string>(4, "none"));
  CHECK(session.worker.route_demands.size() == 0);
}

TEST_CASE("a request may wait for its cluster, which is asked for once, by a name that may be one") {
  Scoped session;
  std::vector<std::string> asked;
  const auto source = std::make_shared<const route::ClusterSource>(
      route::ClusterSource{5, [&](const std::string& name, uint32_t) { asked.push_back(name); }});
  std::vector<filter::ChainConfig::Entry> entries;
  using Waits = filter::Factory<WaitingForCluster, std::shared_ptr<const route::ClusterSource>>;
  entries.push_back({"waiting", std::make_shared<Waits>(source)});
  session.settings->chain = filter::fixedChain(std::move(entries));
  session.settings->scopes = nullptr;
  session.settings->route_slot = std::make_shared<route::TableSlot>(route::TableSlot{10});
  route::TableSpec spec;
  route::VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
  host.name = "v";
  host.domains = {"*"};
  route::RouteSpec& all = host.routes.emplace_back();
  all.path = "/";
  all.action = route::ForwardSpec{.cluster_header = "x-cluster"};
  session.tables.set(10, *route::Table::build(std::move(spec)));

  for (const std::string& name : {std::string("*"), std::string("a\xff"), std::string("a b"), std::string(513, 'a')}) {
    session.request("x-cluster: " + name + "\r\n");
  }
  CHECK(session.seen.size() == 4);
  auto one = session.connect(), two = session.connect();
  for (auto* client : {&one, &two}) (*client)->send("GET / HTTP/1.1\r\nhost: h\r\nx-cluster: a/b|80\r\n\r\n");
  session.loop.turn();
  session.runMain();

  CHECK(asked == std::vector<std::string>{"a/b|80"});
  CHECK(session.seen.size() == 4);
  session.worker.route_demands.done({RouteDemand::Of::kCluster, 5, "a/b|80"});
  session.loop.turn();
  CHECK(session.seen.size() == 6);
}

TEST_CASE("a request that waits for a table and ends is forgotten") {
  Scoped session;
  session.setScopes({{"a", Scoped::kOnDemand}});
  auto client = session.connectTcp();
  client->send("GET / HTTP/1.1\r\nhost: h\r\nx-scope: a\r\n\r\n");
  session.loop.turn();
  CHECK(session.worker.route_demands.size() == 1);
  client->finish();
  CHECK(session.loop.until([&] { return session.open() == 0; }));
  session.loop.turn();

  session.setTable(10, "a");
  session.setScopes({{"a", 10}});
  session.worker.route_demands.done({RouteDemand::Of::kScope, 3, Scoped::keyOf("a")});
  session.loop.turn();

  CHECK(session.seen.empty());
  CHECK(session.worker.route_demands.size() == 0);
}

}  // namespace sluice::session
