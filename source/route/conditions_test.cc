// What routes ask besides the path, and what of the path and the host is asked about.
#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/route/route_shapes.h"
#include "source/route/table.h"
#include "source/route/template_match.h"
#include "source/route/test_request.h"

namespace sluice::route {
namespace {

std::shared_ptr<const Table> build(TableSpec spec) {
  auto table = Table::build(std::move(spec));
  REQUIRE(table.ok());
  return *table;
}

TableSpec specOf(std::vector<RouteSpec> routes) {
  TableSpec spec;
  VirtualHostSpec& only = spec.virtual_hosts.emplace_back();
  only.name = "all";
  only.domains = {"*"};
  only.routes = std::move(routes);
  return spec;
}

// One route for all paths that asks for these.
std::shared_ptr<const Table> asking(StreamConditions conditions) {
  RouteSpec route = routeTo(PathKind::kPrefix, "/");
  route.conditions.stream = std::make_shared<const StreamConditions>(std::move(conditions));
  return build(specOf({std::move(route)}));
}

bool takes(const std::shared_ptr<const Table>& table, TestRequest& request, uint64_t random = 0) {
  return matchOf(*table, request, random).route != nullptr;
}

}  // namespace

TEST_CASE("a share of requests is drawn by one number for all routes of a request") {
  const auto shareOf = [](uint32_t numerator) {
    RouteSpec route = routeTo(PathKind::kPrefix, "/");
    route.conditions.stream =
        std::make_shared<const StreamConditions>(StreamConditions{.fraction = runtime::Fraction{numerator, 100}});
    return route;
  };
  const auto table = build(specOf({shareOf(0), shareOf(10), shareOf(30), shareOf(100)}));
  const auto routeAt = [&](uint64_t share) {
    TestRequest request("/");
    return matchOf(*table, request, share << 32).route - table->virtualHosts()[0].routes.data();
  };

  CHECK(routeAt(0) == 1);
  CHECK(routeAt(9) == 1);
  CHECK(routeAt(10) == 2);
  CHECK(routeAt(29) == 2);
  CHECK(routeAt(30) == 3);
  CHECK(routeAt(99) == 3);
}

TEST_CASE("the clusters of a route with a share are drawn independently of that share") {
  RouteSpec route = routeTo(PathKind::kPrefix, "/");
  auto& forward = std::get<ForwardSpec>(route.action);
  forward.weighted = {{.cluster = 1, .cluster_name = "one", .weight = 50},
                      {.cluster = 2, .cluster_name = "two", .weight = 50}};
  route.conditions.stream =
      std::make_shared<const StreamConditions>(StreamConditions{.fraction = runtime::Fraction{10, 100}});
  const auto table = build(specOf({std::move(route)}));
  TestRequest request("/");

  // The number that a worker draws has all its bits by chance; here it is the share's half and the weights' half.
  uint32_t first = 0, taken = 0;
  for (uint64_t share = 0; share < 100; ++share) {
    for (uint64_t weight = 0; weight < 100; ++weight) {
      const Match match = matchOf(*table, request, (share << 32) | weight);
      if (!match) continue;
      ++taken;
      first += match.cluster() == 1;
    }
  }

  CHECK(taken == 1'000);
  CHECK(first > 400);
  CHECK(first < 600);
}

TEST_CASE("a route that asks for certificates takes connections by what they showed") {
  const auto presented = asking({.certificate_presented = true});
  const auto none = asking({.certificate_presented = false});
  const auto validated = asking({.certificate_validated = true});
  TestRequest plain("/"), shown("/"), valid("/"), without("/");
  without.tls();
  shown.tls().peer_presented = true;
  valid.tls().peer_presented = valid.tls().peer_validated = true;

  CHECK(takes(presented, shown));
  CHECK_FALSE(takes(presented, without));
  CHECK_FALSE(takes(presented, plain));
  CHECK(takes(none, without));
  CHECK(takes(none, plain));
  CHECK_FALSE(takes(none, shown));
  CHECK(takes(validated, valid));
  CHECK_FALSE(takes(validated, shown));
  CHECK_FALSE(takes(validated, plain));
}

TEST_CASE("a route that asks for what filters left takes requests that have it") {
  MetadataMatcher metadata{.filter = "f", .path = {"k"}};
  metadata.value.kind = match::MetadataValueMatcher::Kind::kString;
  metadata.value.string.text = "v";
  FilterStateMatcher state;
  state.key = "o";
  state.string.text = "v";
  const auto by_metadata = asking({.metadata = {metadata}});
  const auto by_state = asking({.filter_state = {state}});
  TestRequest untouched("/"), left("/");
  left.info().metadata().set("f", "k", {std::string("v")});
  left.info().filterState().set("o", "v");

  CHECK(takes(by_metadata, left));
  CHECK(takes(by_state, left));
  CHECK_FALSE(takes(by_metadata, untouched));
  CHECK_FALSE(takes(by_state, untouched));
}

TEST_CASE("a gRPC route takes gRPC and neither gRPC-Web nor anything else") {
  RouteSpec route = routeTo(PathKind::kPrefix, "/");
  route.conditions.grpc = true;
  const auto table = build(specOf({std::move(route)}));
  const auto takesType = [&](std::string_view type) {
    TestRequest request("/", "a", {{"content-type", type}});
    return takes(table, request);
  };
  TestRequest untyped("/");

  CHECK(takesType("application/grpc"));
  CHECK(takesType("application/grpc+proto"));
  CHECK_FALSE(takesType("application/grpc-web"));
  CHECK_FALSE(takesType("application/json"));
  CHECK_FALSE(takes(table, untyped));
}

TEST_CASE("path parameters are left out of each segment") {
  base::Arena arena;

  CHECK(withoutParameters("/a/b", arena) == "/a/b");
  CHECK(withoutParameters("/a;v=1/b;w/c", arena) == "/a/b/c");
  CHECK(withoutParameters("/a/b;v=1", arena) == "/a/b");
  CHECK(withoutParameters("/;v=1;w/b", arena) == "//b");
  CHECK(withoutParameters(";", arena) == "");
  CHECK(sizeWithParameters("/a;v=1/b", 0) == 0);
  CHECK(sizeWithParameters("/a;v=1/b", 2) == 2);
  CHECK(sizeWithParameters("/a;v=1/b", 3) == 7);
  CHECK(sizeWithParameters("/a;v=1/b", 4) == 8);
  CHECK(sizeWithParameters("/a/b", 3) == 3);
  CHECK(sizeWithParameters("/a", 9) == 2);
}

TEST_CASE("a table that ignores path parameters matches paths without them, by every kind") {
  TableSpec spec = specOf({routeTo(PathKind::kExact, "/exact/a"), routeTo(PathKind::kSeparatedPrefix, "/separated/a"),
                           routeTo(PathKind::kRegex, "/regex/[a-z]/end"), routeTo(PathKind::kPrefix, "/prefix/a/")});
  const auto as_sent = build(spec);
  spec.ignore_path_parameters = true;
  const auto ignoring = build(std::move(spec));
  const auto matched = [](const Table& table, std::string_view path) {
    TestRequest request(path);
    return matchOf(table, request).route != nullptr;
  };

  for (const char* path : {"/exact;v=1/a;w?q=1", "/separated;v=1/a;w/b", "/regex/b;v=1/end;w", "/prefix;v=1/a;w/"}) {
    INFO(path);
    CHECK(matched(*ignoring, path));
    CHECK_FALSE(matched(*as_sent, path));
  }
  CHECK_FALSE(matched(*ignoring, "/exact/b;/a"));
}

TEST_CASE("a header chooses the virtual host where a table says so") {
  TableSpec spec = specOf({routeTo(PathKind::kPrefix, "/")});
  spec.virtual_hosts.push_back(spec.virtual_hosts[0]);
  spec.virtual_hosts[1].name = "named";
  spec.virtual_hosts[1].domains = {"a.com"};
  spec.vhost_header = "x-host";
  const auto table = build(spec);
  spec.ignore_port_in_host_matching = true;
  const auto without_port = build(std::move(spec));
  const auto hostOf = [](const Table& table, std::vector<std::pair<std::string_view, std::string_view>> fields) {
    TestRequest request("/", "a.com", std::move(fields));
    return matchOf(table, request).virtual_host->name;
  };

  CHECK(hostOf(*table, {{"x-host", "A.com"}}) == "named");
  CHECK(hostOf(*table, {{"x-host", "b.com"}}) == "all");
  CHECK(hostOf(*table, {}) == "all");
  CHECK(hostOf(*table, {{"x-host", "a.com:80"}}) == "all");
  CHECK(hostOf(*without_port, {{"x-host", "a.com:80"}}) == "named");
}

TEST_CASE("a template becomes a path, a prefix or an expression, whichever it is") {
  const auto kindOf = [](std::string_view text, bool as_whole) {
    RouteSpec out;
    REQUIRE(matchTemplate(*match::PathTemplate::parse(text), as_whole, out).ok());
    return out.path_kind;
  };

  CHECK(kindOf("/a/b", false) == PathKind::kExact);
  CHECK(kindOf("/a/{rest=**}", false) == PathKind::kPrefix);
  CHECK(kindOf("/a/**", true) == PathKind::kRegex);
  CHECK(kindOf("/a/{id}", false) == PathKind::kRegex);
}

}  // namespace sluice::route
