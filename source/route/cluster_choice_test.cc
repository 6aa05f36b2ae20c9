// How a request's cluster is chosen where it is not the same for all requests of a route.

#include <catch2/catch.hpp>

#include "source/base/xx_hash.h"
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

struct TestCookies : CookieSink {
  void addCookie(std::string_view set_cookie) override { given.emplace_back(set_cookie); }
  std::vector<std::string> given;
};

TEST_CASE("the hash of a request chooses among weights where the route wants that, and chance where there is none") {
  Fixture f;
  f.action.chosen_by_hash = true;
  f.action.hash_policy.push_back({.kind = HashTerm::Kind::kHeader, .name = "x-user"});
  f.clusterOf({});  // makes the table
  stream::StreamInfo info;
  TestCookies cookies;
  int of_second = 0;

  for (int user = 0; user < 200; ++user) {
    const std::string name = "u" + std::to_string(user);
    TestRequest request("/", "a.com", {{"x-user", name}});
    const bool second = base::xxHash64(name) % 100 >= 90;
    of_second += second;
    CHECK(f.table->match(*request, user, info, cookies).clusterName() == (second ? "v2" : "v1"));
  }
  CHECK(of_second > 0);
  TestRequest nobody("/", "a.com");
  CHECK(f.table->match(*nobody, 89, info, cookies).clusterName() == "v1");
  CHECK(f.table->match(*nobody, 90, info, cookies).clusterName() == "v2");
  CHECK(cookies.given.empty());
}

TEST_CASE("a client that gets the cookie of the hash is in the same share with it") {
  Fixture f;
  f.action.chosen_by_hash = true;
  f.action.hash_policy.push_back({.kind = HashTerm::Kind::kCookie, .name = "sid", .makes_cookie = true});
  f.clusterOf({});
  for (int client = 0; client < 50; ++client) {
    const std::string address = "10.0.0.1:" + std::to_string(1000 + client);
    stream::StreamInfo info;
    info.downstream_remote_address = address;
    TestCookies cookies;
    TestRequest first("/", "a.com");
    const std::string share(f.table->match(*first, 0, info, cookies).clusterName());
    REQUIRE(cookies.given.size() == 1);

    TestRequest second("/", "a.com", {{"cookie", cookies.given[0]}});

    CHECK(f.table->match(*second, 95, stream::StreamInfo(), cookies).clusterName() == share);
    CHECK(cookies.given.size() == 1);
  }
}

}  // namespace sluice::route
