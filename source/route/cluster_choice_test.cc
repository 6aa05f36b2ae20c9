// How a request's cluster is chosen where it is not the same for all requests of a route.

#include <catch2/catch.hpp>

#include "source/route/cluster_names.h"
#include "source/route/table.h"
#include "source/route/test_request.h"

namespace sluice::route {
namespace {

struct Fixture {
  ClusterNames names;
  ForwardSpec action;
  std::shared_ptr<const Table> table;

  Fixture() { addShare("v1", 90), addShare("v2", 10); }

  WeightedClusterSpec& addShare(const std::string& name, uint32_t weight) {
    return action.weighted.emplace_back(
        WeightedClusterSpec{.cluster = names.idOf(name), .cluster_name = name, .weight = weight});
  }
  std::string clusterOf(std::vector<std::pair<std::string_view, std::string_view>> fields, uint64_t random = 0) {
    if (!table) {
      TableSpec spec;
      VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
      host.name = "all";
      host.domains = {"*"};
      host.routes.emplace_back().path = "/";
      host.routes[0].action = action;
      auto built = Table::build(std::move(spec));
      REQUIRE(built.ok());
      table = *built;
    }
    TestRequest request("/", "a.com", std::move(fields));
    return std::string(table->match(*request, random).clusterName());
  }
};

}  // namespace

TEST_CASE("a request names its cluster in the first header of the configured name") {
  Fixture f;
  f.action.weighted.clear();
  f.action.cluster_header = "x-cluster";

  CHECK(f.clusterOf({{"x-cluster", "blue"}, {"x-cluster", "green"}}) == "blue");
  CHECK(f.clusterOf({{"x-other", "blue"}}) == "");
  CHECK(f.clusterOf({{"x-cluster", ""}}) == "");
  CHECK(f.table->clusters().empty());
}

TEST_CASE("the host may name the cluster") {
  Fixture f;
  f.action.weighted.clear();
  f.action.cluster_header = ":authority";

  CHECK(f.clusterOf({}) == "a.com");
}

TEST_CASE("one of the weighted clusters may be the one that the request names") {
  Fixture f;
  f.action.weighted[1].cluster_header = "x-cluster";

  CHECK(f.clusterOf({{"x-cluster", "blue"}}, 89) == "v1");
  CHECK(f.clusterOf({{"x-cluster", "blue"}}, 90) == "blue");
  CHECK(f.clusterOf({}, 90) == "");
  REQUIRE(f.table->clusters().size() == 1);
  CHECK(f.table->clusterName(f.table->clusters()[0]) == "v1");
}

TEST_CASE("the number in a header chooses among weights, and chance where there is no such number") {
  Fixture f;
  f.action.random_header = "x-random";

  CHECK(f.clusterOf({{"x-random", "1089"}}, 95) == "v1");
  CHECK(f.clusterOf({{"x-random", "1090"}}, 5) == "v2");
  CHECK(f.clusterOf({{"x-random", "18446744073709551615"}}, 95) == "v1");  // 15 of 100
  for (const char* none : {"", "x", "90x", "-1", "+90", "0x5a", "18446744073709551616", "90,90", " 90"}) {
    CAPTURE(none);
    CHECK(f.clusterOf({{"x-random", none}}, 5) == "v1");
    CHECK(f.clusterOf({{"x-random", none}}, 95) == "v2");
  }
  CHECK(f.clusterOf({{"x-random", "90"}, {"x-random", "90"}}, 5) == "v1");
  CHECK(f.clusterOf({}, 95) == "v2");
}

}  // namespace sluice::route
