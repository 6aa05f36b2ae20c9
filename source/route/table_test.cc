#include "source/route/table.h"
#include "source/route/cluster_names.h"

#include <catch2/catch.hpp>

#include "source/route/test_request.h"

namespace sluice::route {
namespace {

RouteSpec answer(PathKind kind, std::string path, uint16_t status = 200) {
  RouteSpec out;
  out.path_kind = kind;
  out.path = std::move(path);
  if (kind == PathKind::kRegex) out.regex = *compileRegex(out.path);
  DirectResponseSpec response;
  response.status = status;
  out.action = response;
  return out;
}

RouteSpec forward(std::string path, ClusterNames& names, std::string cluster) {
  RouteSpec out;
  out.path = std::move(path);
  ForwardSpec action;
  action.cluster = names.idOf(cluster);
  action.cluster_name = std::move(cluster);
  out.action = std::move(action);
  return out;
}

VirtualHostSpec host(std::string name, std::vector<std::string> domains) {
  VirtualHostSpec out;
  out.name = std::move(name);
  out.domains = std::move(domains);
  out.routes.push_back(answer(PathKind::kPrefix, "/"));
  return out;
}

std::shared_ptr<const Table> build(TableSpec spec) {
  auto table = Table::build(std::move(spec));
  REQUIRE(table.ok());
  return *table;
}

std::shared_ptr<const Table> oneHost(std::vector<RouteSpec> routes) {
  TableSpec spec;
  VirtualHostSpec& only = spec.virtual_hosts.emplace_back();
  only.name = "all";
  only.domains = {"*"};
  only.routes = std::move(routes);
  return build(std::move(spec));
}

int statusOf(const std::shared_ptr<const Table>& table, TestRequest request) {
  const Match match = table->match(*request, 0);
  return match ? match.route->direct_response->status : 0;
}

std::string hostOf(const std::shared_ptr<const Table>& table, std::string_view authority) {
  TestRequest request("/", authority);
  const Match match = table->match(*request, 0);
  return match.virtual_host == nullptr ? "none" : std::string(match.virtual_host->name);
}

struct Setting : PerFilterConfig {};

}  // namespace

TEST_CASE("the exact domain wins over suffix wildcards, those over prefix wildcards, and the longest wildcard wins") {
  TableSpec spec;
  spec.virtual_hosts = {host("any", {"*"}),
                        host("prefix", {"www.*"}),
                        host("long prefix", {"www.foo.*"}),
                        host("suffix", {"*.com"}),
                        host("long suffix", {"*.foo.com"}),
                        host("dashed", {"*-bar.foo.com"}),
                        host("exact", {"www.foo.com"})};
  const auto table = build(std::move(spec));

  CHECK(hostOf(table, "www.foo.com") == "exact");
  CHECK(hostOf(table, "api.foo.com") == "long suffix");
  CHECK(hostOf(table, "a-bar.foo.com") == "dashed");
  CHECK(hostOf(table, "foo.com") == "suffix");
  CHECK(hostOf(table, "www.foo.org") == "long prefix");
  CHECK(hostOf(table, "www.org") == "prefix");
  CHECK(hostOf(table, ".com") == "any");
  CHECK(hostOf(table, "www.") == "any");
  CHECK(hostOf(table, "") == "any");
}

TEST_CASE("domains ignore case and are compared with the port as sent") {
  TableSpec spec;
  spec.virtual_hosts = {host("plain", {"Foo.com"}), host("port", {"foo.com:8080"})};
  const auto table = build(spec);
  spec.ignore_port_in_host_matching = true;
  const auto ignoring = build(std::move(spec));

  CHECK(hostOf(table, "FOO.COM") == "plain");
  CHECK(hostOf(table, "foo.com:8080") == "port");
  CHECK(hostOf(table, "foo.com:80") == "none");
  CHECK(hostOf(ignoring, "foo.com:80") == "plain");
}

TEST_CASE("a domain claimed twice is refused, naming both virtual hosts") {
  TableSpec spec;
  spec.virtual_hosts = {host("first", {"a.com"}), host("second", {"b.com", "A.com"})};

  const auto table = Table::build(std::move(spec));

  REQUIRE_FALSE(table.ok());
  CHECK(std::string(table.status().message()) ==
        "domain \"A.com\" of virtual host \"second\" is taken by virtual host \"first\"; a domain belongs to one "
        "virtual host");
}

TEST_CASE("each kind of path match takes what Envoy's does, without the query") {
  const auto table = oneHost({answer(PathKind::kExact, "/exact", 201), answer(PathKind::kSeparatedPrefix, "/sep", 202),
                              answer(PathKind::kRegex, "/re/[0-9]+", 203), answer(PathKind::kPrefix, "/pre", 204)});

  CHECK(statusOf(table, TestRequest("/exact?q=1")) == 201);
  CHECK(statusOf(table, TestRequest("/exact/")) == 0);
  CHECK(statusOf(table, TestRequest("/sep")) == 202);
  CHECK(statusOf(table, TestRequest("/sep/a?b")) == 202);
  CHECK(statusOf(table, TestRequest("/separate")) == 0);
  CHECK(statusOf(table, TestRequest("/re/12?/x")) == 203);
  CHECK(statusOf(table, TestRequest("/re/12/x")) == 0);
  CHECK(statusOf(table, TestRequest("/prefixed")) == 204);
  CHECK(statusOf(table, TestRequest("/Pre")) == 0);
  CHECK(statusOf(table, TestRequest("")) == 0);
}

TEST_CASE("the first route wins whatever its kind") {
  const auto table = oneHost({answer(PathKind::kPrefix, "/a/b", 201), answer(PathKind::kRegex, "/a.*", 202),
                              answer(PathKind::kPrefix, "/a/b/c", 203), answer(PathKind::kExact, "/a/b/c", 204),
                              answer(PathKind::kPrefix, "/", 205)});

  CHECK(statusOf(table, TestRequest("/a/b/c")) == 201);
  CHECK(statusOf(table, TestRequest("/a/c")) == 202);
  CHECK(statusOf(table, TestRequest("/b")) == 205);
}

TEST_CASE("case_sensitive false ignores the case of the path, also beyond a kilobyte") {
  std::vector<RouteSpec> routes;
  for (int i = 0; i < 5; ++i) routes.push_back(answer(PathKind::kExact, "/other" + std::to_string(i)));
  routes.push_back(answer(PathKind::kPrefix, "/ApI/", 204));
  routes.back().case_sensitive = false;
  const auto table = oneHost(std::move(routes));

  CHECK(statusOf(table, TestRequest("/aPi/x")) == 204);
  CHECK(statusOf(table, TestRequest("/API/" + std::string(2000, 'X'))) == 204);
  CHECK(statusOf(table, TestRequest("/ap1/x")) == 0);
}

TEST_CASE("a header in several lines matches if one line does, each looked at apart") {
  RouteSpec admin = answer(PathKind::kPrefix, "/", 403);
  HeaderMatcher header;
  header.name = "role";
  header.kind = HeaderMatcher::Kind::kString;
  header.string.kind = StringMatcher::Kind::kContains;
  header.string.text = "admin";
  admin.conditions.headers.push_back(header);
  RouteSpec exact = answer(PathKind::kPrefix, "/", 201);
  header.string.kind = StringMatcher::Kind::kExact;
  exact.conditions.headers.push_back(header);
  RouteSpec joined = exact;
  joined.conditions.headers[0].string.text = "admin,user";
  RouteSpec inverted = exact;
  inverted.conditions.headers[0].invert = true;
  const RouteSpec other = answer(PathKind::kPrefix, "/", 200);
  const auto statuses = [&](const RouteSpec& spec) {
    const auto table = oneHost({spec, other});
    const auto status = [&table](const std::vector<std::pair<std::string_view, std::string_view>>& fields) {
      return statusOf(table, TestRequest("/", "a", fields));
    };
    return std::vector<int>{status({{"role", "admin"}}), status({{"role", "user"}, {"role", "admin"}}),
                            status({{"role", "admin"}, {"role", "user"}}),
                            status({{"role", "user"}, {"role", "guest"}}), status({{"role", "admin,user"}})};
  };

  CHECK(statuses(admin) == std::vector<int>{403, 403, 403, 200, 403});
  CHECK(statuses(exact) == std::vector<int>{201, 201, 201, 200, 200});
  CHECK(statuses(joined) == std::vector<int>{200, 200, 200, 200, 201});
  CHECK(statuses(inverted) == std::vector<int>{200, 200, 200, 201, 201});
}

TEST_CASE("lines of a header find the routes that are told apart by it, the first in order") {
  std::vector<RouteSpec> routes;
  for (const char* value : {"a", "b", "c", "d", "e"}) {
    RouteSpec route = answer(PathKind::kPrefix, "/", static_cast<uint16_t>(201 + routes.size()));
    HeaderMatcher header;
    header.name = "x-k";
    header.kind = HeaderMatcher::Kind::kString;
    header.string.text = value;
    route.conditions.headers.push_back(header);
    routes.push_back(std::move(route));
  }
  const auto table = oneHost(std::move(routes));

  CHECK(statusOf(table, TestRequest("/", "a", {{"x-k", "z"}, {"x-k", "d"}, {"x-k", "d"}, {"x-k", "b"}})) == 202);
  CHECK(statusOf(table, TestRequest("/", "a", {{"x-k", "d,b"}, {"x-k", ""}})) == 0);
}

TEST_CASE("cookies are looked at as one list, however many lines they came in") {
  HeaderMatcher header;
  header.setName("cookie");
  header.kind = HeaderMatcher::Kind::kString;
  header.string.text = "a=1; b=2";

  CHECK(header.matches(*TestRequest("/", "a", {{"cookie", "a=1"}, {"cookie", "b=2"}})));
  CHECK(header.matches(*TestRequest("/", "a", {{"cookie", "a=1; b=2"}})));
}

TEST_CASE("a regular expression over a header sees bytes that are no UTF-8") {
  RouteSpec deny = answer(PathKind::kPrefix, "/", 403);
  HeaderMatcher header;
  header.name = "x-user";
  header.kind = HeaderMatcher::Kind::kString;
  header.string.kind = StringMatcher::Kind::kRegex;
  header.string.regex = *compileRegex(".*admin.*");
  deny.conditions.headers.push_back(header);
  const auto table = oneHost({deny});

  CHECK(statusOf(table, TestRequest("/", "a", {{"x-user", "\x80 admin\xff"}})) == 403);
}

TEST_CASE("a missing header matches no value, inverted or not, unless it counts as empty") {
  HeaderMatcher header;
  header.name = "x-a";
  header.kind = HeaderMatcher::Kind::kString;
  header.string.text = "1";
  TestRequest without("/"), with("/", "a", {{"x-a", "1"}}), other("/", "a", {{"x-a", "2"}});

  CHECK_FALSE(header.matches(*without));
  CHECK(header.matches(*with));
  header.invert = true;
  CHECK_FALSE(header.matches(*without));
  CHECK_FALSE(header.matches(*with));
  CHECK(header.matches(*other));
  header.treat_missing_header_as_empty = true;
  CHECK(header.matches(*without));
}

TEST_CASE("presence, ranges and pseudo-headers match") {
  TestRequest request("/x", "a.com", {{"x-n", "-5"}});
  HeaderMatcher absent;
  absent.name = "x-m";
  absent.present = false;
  HeaderMatcher range;
  range.name = "x-n";
  range.kind = HeaderMatcher::Kind::kRange;
  range.range_start = -5;
  range.range_end = 0;
  HeaderMatcher method;
  method.name = ":method";
  method.kind = HeaderMatcher::Kind::kString;
  method.string.text = "GET";

  CHECK(absent.matches(*request));
  absent.name = "x-n";
  CHECK_FALSE(absent.matches(*request));
  absent.invert = true;
  CHECK(absent.matches(*request));
  absent.name = "x-m";
  CHECK_FALSE(absent.matches(*request));
  CHECK(range.matches(*request));
  range.range_end = -5;
  CHECK_FALSE(range.matches(*request));
  CHECK(method.matches(*request));
}

TEST_CASE("the first value of a query parameter counts") {
  CHECK(queryParameter("a=1&a=2", "a") == "1");
  CHECK(queryParameter("b&a", "a") == "");
  CHECK(queryParameter("aa=1&&a=x=y", "a") == "x=y");
  CHECK_FALSE(queryParameter("b=a", "a").has_value());
  CHECK_FALSE(queryParameter("", "").has_value());
}

TEST_CASE("weighted clusters are drawn in proportion to their weights") {
  ClusterNames names;
  RouteSpec route;
  route.path = "/";
  ForwardSpec action;
  for (const auto& [name, weight] : {std::pair{"v1", 90u}, {"none", 0u}, {"v2", 10u}}) {
    WeightedClusterSpec& part = action.weighted.emplace_back();
    part.cluster = names.idOf(name);
    part.cluster_name = name;
    part.weight = weight;
  }
  route.action = std::move(action);
  const auto table = oneHost({route});
  TestRequest request("/");

  std::map<std::string_view, int> drawn;
  for (uint64_t random = 1000; random < 2000; ++random) {
    ++drawn[table->clusterName(table->match(*request, random).cluster())];
  }

  CHECK(drawn["v1"] == 900);
  CHECK(drawn["v2"] == 100);
  CHECK(drawn.size() == 2);
}

TEST_CASE("weights that sum to nothing are refused") {
  TableSpec spec;
  spec.virtual_hosts = {host("all", {"*"})};
  ForwardSpec action;
  action.weighted.resize(2);
  spec.virtual_hosts[0].routes[0].action = std::move(action);

  CHECK_FALSE(Table::build(std::move(spec)).ok());
}

TEST_CASE("a table knows the clusters that it refers to") {
  ClusterNames names;
  const auto table = oneHost({forward("/b", names, "b"), forward("/a", names, "a"), forward("/c", names, "b")});

  REQUIRE(table->clusters().size() == 2);
  CHECK(table->clusterName(table->clusters()[0]) == "b");
  CHECK(table->clusterName(names.find("a")) == "a");
  CHECK(table->clusterName(kNoCluster).empty());
}

TEST_CASE("the most specific setting of a filter is found by its slot") {
  const auto at_table = std::make_shared<const Setting>(), at_host = std::make_shared<const Setting>(),
             at_route = std::make_shared<const Setting>();
  FilterSlots slots;
  const FilterSlot buffer = slots.slotOf("buffer"), limit = slots.slotOf("limit"), unused = slots.slotOf("unused");
  TableSpec spec;
  spec.per_filter = {{buffer, at_table}, {limit, at_table}};
  spec.virtual_hosts = {host("plain", {"plain"}), host("own", {"own"})};
  spec.virtual_hosts[1].per_filter = {{limit, at_host}};
  spec.virtual_hosts[1].routes.push_back(answer(PathKind::kExact, "/x"));
  std::swap(spec.virtual_hosts[1].routes[0], spec.virtual_hosts[1].routes[1]);
  spec.virtual_hosts[1].routes[0].per_filter = {{buffer, at_route}};
  const auto table = build(std::move(spec));
  TestRequest plain("/", "plain"), own("/", "own"), route("/x", "own");

  CHECK(table->match(*plain, 0).perFilter(limit) == at_table.get());
  CHECK(table->match(*own, 0).perFilter(limit) == at_host.get());
  CHECK(table->match(*own, 0).perFilter(buffer) == at_table.get());
  CHECK(table->match(*route, 0).perFilter(buffer) == at_route.get());
  CHECK(table->match(*route, 0).perFilter(limit) == at_host.get());
  CHECK(table->match(*route, 0).perFilter(unused) == nullptr);
  CHECK(table->match(*route, 0).perFilter(unused + 100) == nullptr);
}

}  // namespace sluice::route
