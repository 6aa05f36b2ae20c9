#include "source/route/sticky_split.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <set>

#include "source/route/cluster_names.h"
#include "source/route/rewrite.h"
#include "source/route/table.h"
#include "source/route/test_request.h"
#include "source/stream/format_context.h"
#include "source/stream/stream_info.h"

namespace sluice::route {
namespace {

using Key = StickySplit::Key;
using Shares = std::vector<std::pair<std::string, uint32_t>>;

const std::string kSecret = "0123456789abcdef";
const Key kUserHeader{Key::Source::kHeader, "x-user"};

StickySplit::Anonymous anonymous(std::vector<std::string> secrets = {kSecret}, std::string name = "id") {
  return {{.name = std::move(name), .path = "/", .attributes = {{"SameSite", "Lax"}}}, std::move(secrets)};
}

// A table of one route. It stands for a proxy.
std::shared_ptr<const Table> proxy(const Shares& shares, StickySplit split, Mutations mutations = {}) {
  ClusterNames names;
  ForwardSpec action;
  action.split = std::make_shared<const StickySplit>(std::move(split));
  for (const size_t index : StickySplit::orderOfShares(shares.size())) {
    const auto& [name, weight] = shares[index];
    action.weighted.push_back({.cluster = names.idOf(name), .cluster_name = name, .weight = weight});
  }
  TableSpec spec;
  VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
  host.name = "all";
  host.domains = {"*"};
  host.routes.emplace_back().path = "/";
  host.routes[0].action = std::move(action);
  host.routes[0].mutations = std::move(mutations);
  auto table = Table::build(std::move(spec));
  REQUIRE(table.ok());
  return *table;
}

std::shared_ptr<const Table> proxy(const Shares& shares) {
  return proxy(shares, {"rollout", {kUserHeader}, {}});
}

// The user of that name at a proxy. Nothing depends on chance, so each call has another number.
std::string clusterOf(const Table& proxy, const std::string& user) {
  static uint64_t random = 0;
  TestRequest request("/", "a.com", {{"x-user", user}});
  random += 0x9e3779b97f4a7c15;
  return std::string(proxy.match(*request, random).clusterName());
}

struct Visit {
  std::string cluster;
  std::string set_cookie;

  // What a browser sends back.
  std::string cookie() const { return set_cookie.substr(0, set_cookie.find(';')); }
};

Visit visit(const Table& proxy, std::vector<std::pair<std::string_view, std::string_view>> fields, uint64_t random = 0,
            std::string_view address = "10.0.0.1:1234", std::string_view scheme = "http") {
  TestRequest request("/", "a.com", std::move(fields));
  request->scheme = scheme;
  const Match match = proxy.match(*request, random, address);
  return {std::string(match.clusterName()), match.own == nullptr ? std::string() : std::string(match.own->set_cookie)};
}

}  // namespace

TEST_CASE("a user's point is the beginning of SHA-256 of the rollout and the user") {
  CHECK(StickySplit::pointOf("checkout-v2", "alice") == 0x46ab16b349b1a57b);
  CHECK(StickySplit::pointOf("checkout-v2", "bob") == 0x36fa60bdf90c2e95);
  CHECK(StickySplit::pointOf("checkout", "-v2alice") != StickySplit::pointOf("checkout-v2", "alice"));
}

TEST_CASE("100,000 users over 50 proxies are divided as the weights say, and none ever moves back") {
  constexpr int kUsers = 100000;
  std::vector<bool> moved(kUsers);
  for (const uint32_t weight : {1u, 5u, 25u, 50u, 100u}) {
    std::vector<std::shared_ptr<const Table>> proxies;
    for (int i = 0; i < 50; ++i) proxies.push_back(proxy({{"stable", 100 - weight}, {"canary", weight}}));
    int in_canary = 0, moved_back = 0, unequal = 0;
    for (int user = 0; user < kUsers; ++user) {
      const std::string name = "user-" + std::to_string(user);
      const bool canary = clusterOf(*proxies[static_cast<size_t>(user) % 50], name) == "canary";
      if (user % 10 == 0) {
        unequal += (clusterOf(*proxies[static_cast<size_t>(user / 10) % 50], name) == "canary") != canary;
      }
      in_canary += canary;
      moved_back += moved[static_cast<size_t>(user)] && !canary;
      moved[static_cast<size_t>(user)] = canary;
    }
    CAPTURE(weight, in_canary);
    CHECK(std::abs(100.0 * in_canary / kUsers - weight) < 0.5);
    CHECK(moved_back == 0);
    CHECK(unequal == 0);
  }
}

TEST_CASE("of three clusters each grows out of the first one, and users of the others stay") {
  const auto before = proxy({{"stable", 80}, {"a", 10}, {"b", 10}});
  for (const auto& [grown, shares] : std::map<std::string, Shares>{{"a", {{"stable", 50}, {"a", 40}, {"b", 10}}},
                                                                   {"b", {{"stable", 50}, {"a", 10}, {"b", 40}}}}) {
    const auto after = proxy(shares);
    for (int user = 0; user < 2000; ++user) {
      const std::string name = std::to_string(user), was = clusterOf(*before, name), is = clusterOf(*after, name);
      CAPTURE(grown, was, is);
      CHECK((was == is || (was == "stable" && is == grown)));
    }
  }
}

TEST_CASE("only the relation of weights counts") {
  const auto percent = proxy({{"stable", 90}, {"canary", 10}}), ratio = proxy({{"stable", 9}, {"canary", 1}});
  for (int user = 0; user < 2000; ++user) {
    CHECK(clusterOf(*percent, std::to_string(user)) == clusterOf(*ratio, std::to_string(user)));
  }
}

TEST_CASE("another rollout begins with other users") {
  const Shares shares = {{"stable", 50}, {"canary", 50}};
  const auto one = proxy(shares), other = proxy(shares, {"rollout 2", {kUserHeader}, {}});
  int moved = 0;

  for (int user = 0; user < 2000; ++user) {
    moved += clusterOf(*one, std::to_string(user)) != clusterOf(*other, std::to_string(user));
  }

  CHECK(moved > 900);
  CHECK(moved < 1100);
}

TEST_CASE("shares stand so that the first lies between the others") {
  CHECK(StickySplit::orderOfShares(1) == std::vector<size_t>{0});
  CHECK(StickySplit::orderOfShares(2) == std::vector<size_t>{1, 0});
  CHECK(StickySplit::orderOfShares(3) == std::vector<size_t>{1, 0, 2});
  CHECK(StickySplit::orderOfShares(6) == std::vector<size_t>{1, 3, 5, 0, 4, 2});
}

TEST_CASE("the first key that a request has tells the user, wherever it comes from") {
  const auto split = proxy({{"stable", 50}, {"canary", 50}},
                           {"r", {kUserHeader, {Key::Source::kCookie, "uid"}, {Key::Source::kAddress, ""}}, {}});
  std::set<std::string> seen;
  for (int i = 0; i < 50; ++i) {
    const std::string user = "10.0.0." + std::to_string(i), cookie = "a=b; uid=" + user;
    const std::string by_header = visit(*split, {{"x-user", user}}).cluster;
    seen.insert(by_header);
    CHECK(visit(*split, {{"x-user", ""}, {"cookie", cookie}}, 1).cluster == by_header);
    CHECK(visit(*split, {{"x-user", user}, {"cookie", "uid=x"}}, 2).cluster == by_header);
    CHECK(visit(*split, {{"cookie", "uid="}}, 3, user + ":" + std::to_string(i)).cluster == by_header);
  }
  CHECK(seen.size() == 2);
}

// The cluster that a request comes to which chance leads to another one, once filters have left a value.
Visit visitWith(const Table& proxy, stream::MetadataValue value,
                std::vector<std::pair<std::string_view, std::string_view>> fields = {}) {
  TestRequest request("/", "a.com", std::move(fields));
  Match match = proxy.match(*request, 0);
  stream::StreamInfo info;
  info.metadata().set("jwt", "payload", {stream::MetadataFields{{"sub", std::move(value)}}});
  Table::chooseByMetadata(*request, info, match);
  return {std::string(match.clusterName()), match.own == nullptr ? std::string() : std::string(match.own->set_cookie)};
}

TEST_CASE("a user may be known by what a filter left, which is the same user as anywhere else") {
  const Key claim{Key::Source::kMetadata, "jwt", {"payload", "sub"}};
  const auto split = proxy({{"stable", 50}, {"canary", 50}}, {"r", {claim}, anonymous()});
  const auto by_header = proxy({{"stable", 50}, {"canary", 50}}, {"r", {kUserHeader}, {}});
  std::set<std::string> seen;
  for (int i = 0; i < 50; ++i) {
    const std::string user = std::to_string(i);
    const std::string cluster = clusterOf(*by_header, user);
    seen.insert(cluster);

    const Visit by_text = visitWith(*split, {user}), by_number = visitWith(*split, {double(i)});

    CHECK(by_text.cluster == cluster);
    CHECK(by_number.cluster == cluster);
    CHECK(by_text.set_cookie.empty());
  }
  CHECK(seen.size() == 2);
}

TEST_CASE("values that are no texts and no whole numbers tell nothing, and the choice of before stays") {
  const Key claim{Key::Source::kMetadata, "jwt", {"payload", "sub"}};
  const auto split = proxy({{"stable", 50}, {"canary", 50}}, {"r", {claim}, anonymous()});
  const Visit before = visit(*split, {});
  const auto other = [&](stream::MetadataValue value) {
    const Visit after = visitWith(*split, std::move(value));
    return after.cluster != before.cluster || after.set_cookie != before.set_cookie;
  };

  CHECK_FALSE(before.set_cookie.empty());
  CHECK_FALSE(other({std::string()}));
  CHECK_FALSE(other({true}));
  CHECK_FALSE(other({0.5}));
  CHECK_FALSE(other({1e300}));
  CHECK_FALSE(other({std::nan("")}));
  CHECK_FALSE(other({stream::MetadataList{{std::string("a")}}}));
  CHECK_FALSE(other({std::monostate{}}));
}

TEST_CASE("a key in front of that of a filter's value counts more") {
  const Key claim{Key::Source::kMetadata, "jwt", {"payload", "sub"}};
  const auto split = proxy({{"stable", 50}, {"canary", 50}}, {"r", {kUserHeader, claim}, {}});
  for (int i = 0; i < 20; ++i) {
    const std::string user = std::to_string(i);
    CHECK(visitWith(*split, {std::string("somebody")}, {{"x-user", user}}).cluster == clusterOf(*split, user));
  }
}

TEST_CASE("without any key chance divides requests") {
  const auto split = proxy({{"stable", 50}, {"canary", 50}});

  CHECK(visit(*split, {}, 0).cluster == "canary");
  CHECK(visit(*split, {}, UINT64_MAX).cluster == "stable");
  CHECK(visit(*split, {}, 0).set_cookie.empty());
}

TEST_CASE("an anonymous user gets a signed cookie once and stays where it was") {
  const Shares shares = {{"stable", 50}, {"canary", 50}};
  const auto split = proxy(shares, {"r", {kUserHeader}, anonymous()});
  std::set<std::string> seen;
  for (uint64_t i = 1; i <= 30; ++i) {
    const Visit first = visit(*split, {}, i);
    REQUIRE(first.set_cookie.starts_with("id=\""));
    CHECK(first.set_cookie.ends_with("\"; Path=/; SameSite=Lax; HttpOnly"));
    seen.insert(first.cluster);

    const Visit second = visit(*split, {{"cookie", first.cookie()}}, i * 0x123456789);

    CHECK(second.cluster == first.cluster);
    CHECK(second.set_cookie.empty());
  }
  CHECK(seen.size() == 2);
  CHECK(visit(*split, {{"x-user", "alice"}}).set_cookie.empty());
}

TEST_CASE("a cookie that nobody here has signed is none") {
  const Shares shares = {{"stable", 50}, {"canary", 50}};
  const auto split = proxy(shares, {"r", {}, anonymous()});
  const std::string good = visit(*split, {}, 7).cookie();
  std::string other_id = good, other_mac = good;
  other_id[4] = other_id[4] == '0' ? '1' : '0';
  other_mac[40] = other_mac[40] == '0' ? '1' : '0';
  const std::string other_name =
      visit(*proxy(shares, {"r", {}, anonymous({kSecret}, "ix")}), {}, 7).cookie().replace(0, 2, "id");

  for (const std::string& bad : {other_id, other_mac, other_name, good.substr(0, good.size() - 2) + "\"",
                                 std::string("id="), std::string("id=x")}) {
    CAPTURE(bad);
    CHECK_FALSE(visit(*split, {{"cookie", bad}}, 8).set_cookie.empty());
  }
  CHECK(visit(*split, {{"cookie", good}}, 8).set_cookie.empty());
}

TEST_CASE("all secrets are accepted and the first one signs") {
  const std::string fresh = "fedcba9876543210";
  const Shares shares = {{"stable", 50}, {"canary", 50}};
  const auto before = proxy(shares, {"r", {}, anonymous({kSecret})});
  const auto between = proxy(shares, {"r", {}, anonymous({fresh, kSecret})});
  const auto after = proxy(shares, {"r", {}, anonymous({fresh})});
  const std::string old_cookie = visit(*before, {}, 7).cookie(), new_cookie = visit(*between, {}, 7).cookie();

  CHECK(visit(*between, {{"cookie", new_cookie}}).set_cookie.empty());
  CHECK_FALSE(visit(*after, {{"cookie", old_cookie}}).set_cookie.empty());
  CHECK(visit(*after, {{"cookie", new_cookie}}).set_cookie.empty());
}

TEST_CASE("a user with a cookie of an old secret gets it signed anew, and stays when that secret goes") {
  const std::string fresh = "fedcba9876543210";
  const Shares shares = {{"stable", 50}, {"canary", 50}};
  const auto before = proxy(shares, {"r", {}, anonymous({kSecret})});
  const auto between = proxy(shares, {"r", {}, anonymous({fresh, kSecret})});
  const auto after = proxy(shares, {"r", {}, anonymous({fresh})});
  for (uint64_t user = 1; user <= 20; ++user) {
    const Visit first = visit(*before, {}, user * 0x9e3779b97f4a7c15);

    const Visit second = visit(*between, {{"cookie", first.cookie()}}, user);
    const Visit third = visit(*after, {{"cookie", second.cookie()}}, user);

    REQUIRE_FALSE(second.set_cookie.empty());
    CHECK(second.cluster == first.cluster);
    CHECK(third.cluster == first.cluster);
    CHECK(third.set_cookie.empty());
  }
}

TEST_CASE("over https the cookie is for https only") {
  const auto split = proxy({{"stable", 1}}, {"r", {}, anonymous()});

  CHECK(visit(*split, {}, 7, "10.0.0.1:1", "https").set_cookie.ends_with("; SameSite=Lax; Secure; HttpOnly"));
}

TEST_CASE("the cookie goes into the response, behind what the route takes away") {
  const auto split = proxy({{"stable", 1}}, {"r", {}, anonymous()}, {.response = {.remove = {"set-cookie"}}});
  TestRequest request("/");
  http::ResponseHeaders response(request.arena());
  response.add("set-cookie", "upstream=1");
  const stream::StreamInfo info;
  const Match match = split->match(*request, 7);

  finalizeResponse(match, response, {.request = &*request, .response = &response, .info = info});

  REQUIRE(response.size() == 1);
  CHECK(response.get("set-cookie") == match.own->set_cookie);
}

}  // namespace sluice::route
