// Virtual hosts whose routes a matcher leads to, and routes whose cluster one chooses.

#include "source/route/route_tree.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "source/base/random.h"
#include "source/route/cluster_names.h"
#include "source/route/random_tables.h"
#include "source/route/table.h"
#include "source/route/test_request.h"

namespace sluice::route {
namespace {

// The value of a header.
struct HeaderInput : match::Input {
  explicit HeaderInput(std::string name) : name(std::move(name)) {}
  uint8_t needs() const override { return match::kRequest; }
  match::Value get(const match::Data& data, match::Scratch&) const override {
    return {.text = data.request->lookup(name)};
  }
  std::string name;
};

// What a filter left under "f".
struct MetadataInput : match::Input {
  uint8_t needs() const override { return match::kStream; }
  match::Value get(const match::Data& data, match::Scratch&) const override {
    if (data.info == nullptr || data.info->dynamic_metadata == nullptr) return {};
    const auto* value = data.info->dynamic_metadata->find("f", {"k"});
    return value == nullptr ? match::Value{} : match::Value{.text = std::get<std::string>(value->value)};
  }
};

// An address of the client, as text.
struct AddressInput : match::Input {
  uint8_t needs() const override { return match::kAddresses; }
  match::Value get(const match::Data& data, match::Scratch& scratch) const override {
    scratch = data.remote->toString();
    return {.text = scratch};
  }
};

std::shared_ptr<const match::Matcher> treeBy(std::shared_ptr<const match::Input> input,
                                             std::map<std::string, match::Action> actions) {
  match::ExactMap map;
  auto out = std::make_shared<match::Matcher>();
  out->needs = input->needs();
  map.input = std::move(input);
  for (const auto& [value, action] : actions) map.entries[value].action = action;
  out->how = std::move(map);
  return out;
}

std::shared_ptr<const Table> built(TableSpec spec) {
  auto table = Table::build(std::move(spec));
  REQUIRE(table.ok());
  return *table;
}

RouteSpec answering(std::string path, std::string name) {
  RouteSpec out;
  out.path = std::move(path);
  out.name = std::move(name);
  out.action = DirectResponseSpec{};
  return out;
}

// By header `x-t`: "one" leads to a route, "many" to five, others to none.
TableSpec treeTable() {
  TableSpec spec;
  VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
  host.name = "all";
  host.domains = {"*"};
  host.routes = {answering("/a", "one")};
  for (const char* path : {"/a/b", "/a", "/c", "/d", "/"}) host.routes.push_back(answering(path, path));
  host.tree.matcher = treeBy(std::make_shared<HeaderInput>("x-t"), {{"one", 0}, {"many", 1}});
  host.tree.lists = {{0, 1}, {1, 5}};
  return spec;
}

std::string routeOf(const Table& table, std::string_view path, const char* value) {
  TestRequest request(path, "a.com", {{"x-t", value}});
  const Match match = table.match(*request, 0);
  CHECK(match.virtual_host != nullptr);
  return match ? std::string(match.route->name) : "none";
}

}  // namespace

TEST_CASE("a tree leads to routes, of which the first that matches is taken") {
  const auto table = built(treeTable());

  CHECK(routeOf(*table, "/a/b", "one") == "one");
  CHECK(routeOf(*table, "/a/b", "many") == "/a/b");
  CHECK(routeOf(*table, "/ab", "many") == "/a");
  CHECK(routeOf(*table, "/x", "many") == "/");
}

TEST_CASE("where none of the routes that a tree leads to matches there is no route, whatever other branches have") {
  const auto table = built(treeTable());

  CHECK(routeOf(*table, "/x", "one") == "none");
  CHECK(routeOf(*table, "/a", "other") == "none");
}

TEST_CASE("CONNECT finds its route in the list that the tree leads to") {
  TableSpec spec = treeTable();
  spec.virtual_hosts[0].routes[3].path_kind = PathKind::kConnect;
  const auto table = built(std::move(spec));
  TestRequest request("", "a.com", {{"x-t", "many"}, {":method", "CONNECT"}});

  const Match match = table->match(*request, 0);

  REQUIRE(match);
  CHECK(match.route->matcher.kind == PathKind::kConnect);
}

TEST_CASE("a tree looks at what filters left and at the client's address") {
  NoCookies cookies;
  stream::StreamInfo info;
  info.downstream_remote_address = "192.0.2.7:4711";
  info.metadata().set("f", "k", {std::string("one")});
  TestRequest request("/a");
  TableSpec by_metadata = treeTable(), by_address = treeTable();
  by_metadata.virtual_hosts[0].tree.matcher = treeBy(std::make_shared<MetadataInput>(), {{"one", 0}, {"many", 1}});
  by_address.virtual_hosts[0].tree.matcher = treeBy(std::make_shared<AddressInput>(), {{"192.0.2.7:4711", 1}});

  const auto metadata_table = built(std::move(by_metadata)), address_table = built(std::move(by_address));
  const Match of_metadata = metadata_table->match(*request, 0, info, cookies);
  const Match of_address = address_table->match(*request, 0, info, cookies);

  REQUIRE(of_metadata);
  CHECK(of_metadata.route->name == "one");
  REQUIRE(of_address);
  CHECK(of_address.route->name == "/a");
}

// A tree over random routes finds what asking each route of its list finds.
TEST_CASE("routes in a tree are found as in a list of their own") {
  base::Random random(11);
  struct Choices {
    base::Random& random;
    uint32_t below(uint32_t n) { return static_cast<uint32_t>(random.below(n)); }
  } choices{random};
  RandomTables<Choices> tables(choices);
  size_t found = 0;

  for (int i = 0; i < 300; ++i) {
    const TableSpec one = tables.table(12), other = tables.table(12);
    TableSpec spec;
    VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
    host.name = "all";
    host.domains = {"*"};
    host.routes = one.virtual_hosts[0].routes;
    const std::vector<RouteSpec>& more = other.virtual_hosts[0].routes;
    host.tree.lists = {{0, host.routes.size()}, {host.routes.size(), more.size()}};
    host.routes.insert(host.routes.end(), more.begin(), more.end());
    host.tree.matcher = treeBy(std::make_shared<HeaderInput>(":scheme"), {{"http", 0}, {"https", 1}});
    const std::vector<std::pair<size_t, size_t>> lists = host.tree.lists;
    const auto table = built(std::move(spec));
    for (int k = 0; k < 20; ++k) {
      const size_t list = random.below(2);
      TestRequest request = tables.request(list == 0 ? one : other);
      request->scheme = list == 0 ? "http" : "https";
      const std::span<const Route> routes =
          table->virtualHosts()[0].routes.subspan(lists[list].first, lists[list].second);
      const auto expected = std::find_if(routes.begin(), routes.end(), [&](const Route& route) {
        return route.matcher.matches(RequestView::of(*request));
      });
      const Match match = table->match(*request, 0);
      REQUIRE(match.route == (expected == routes.end() ? nullptr : &*expected));
      found += match.route != nullptr;
    }
  }

  CHECK(found > 1000);
}

TEST_CASE("a tree chooses the cluster, and where it matches nothing there is none") {
  ClusterNames names;
  ForwardSpec action;
  action.tree.matcher = treeBy(std::make_shared<HeaderInput>("x-t"), {{"a", 0}, {"b", 1}});
  action.tree.clusters = {{names.idOf("A"), "A"}, {names.idOf("B"), "B"}};
  TableSpec spec;
  VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
  host.name = "all";
  host.domains = {"*"};
  host.routes.emplace_back().path = "/";
  host.routes[0].action = action;
  const auto table = built(std::move(spec));
  const auto clusterOf = [&](const char* value) {
    TestRequest request("/", "a.com", {{"x-t", value}});
    const Match match = table->match(*request, 0);
    REQUIRE(match);
    return std::string(match.clusterName());
  };

  CHECK(table->clusters().size() == 2);
  CHECK(clusterOf("a") == "A");
  CHECK(clusterOf("b") == "B");
  CHECK(clusterOf("c") == "");
}

TEST_CASE("a tree chooses the cluster anew by what filters made of the request") {
  ClusterNames names;
  NoCookies cookies;
  ForwardSpec action;
  action.tree.matcher = treeBy(std::make_shared<MetadataInput>(), {{"a", 0}});
  action.tree.clusters = {{names.idOf("A"), "A"}};
  TableSpec spec;
  VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
  host.name = "all";
  host.domains = {"*"};
  host.routes.emplace_back().path = "/";
  host.routes[0].action = action;
  const auto table = built(std::move(spec));
  stream::StreamInfo info;
  TestRequest request("/");
  Match match = table->match(*request, 0, info, cookies);
  REQUIRE(match.choice != nullptr);
  CHECK(match.clusterName() == "");

  info.metadata().set("f", "k", {std::string("a")});
  Table::chooseByMetadata(*request, info, match);

  CHECK(match.clusterName() == "A");
}

TEST_CASE("what a route says holds for the clusters of its tree") {
  struct Setting : PerFilterConfig {};
  ClusterNames names;
  FilterSlots slots;
  const FilterSlot slot = slots.slotOf("f");
  ForwardSpec action;
  action.tree.matcher = treeBy(std::make_shared<HeaderInput>("x-t"), {{"a", 0}});
  action.tree.clusters = {{names.idOf("A"), "A"}};
  action.metadata_match = std::make_shared<const stream::MetadataCriteria>(stream::MetadataFields{{"v", {1.0}}});
  TableSpec spec;
  VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
  host.name = "all";
  host.domains = {"*"};
  host.routes.emplace_back().path = "/";
  host.routes[0].action = action;
  const auto setting = std::make_shared<const Setting>();
  host.routes[0].per_filter = {{slot, setting}};
  const auto table = built(std::move(spec));

  for (const char* value : {"a", "other"}) {
    TestRequest request("/", "a.com", {{"x-t", value}});
    const Match match = table->match(*request, 0);
    CHECK(match.perFilter(slot) == setting.get());
    CHECK(match.metadataMatch() == action.metadata_match.get());
  }
}

}  // namespace sluice::route
