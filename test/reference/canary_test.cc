// What a sticky split promises of a rollout: a share of the users, none of whom is ever moved back, the same at every
// proxy.
//
// By default each user asks two proxies at each step, and every 50th asks all of them. With SLUICE_REFERENCE_RUNS above
// 1 all users ask all proxies: 25 million lookups.
#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "source/base/random.h"
#include "source/route/cluster_names.h"
#include "source/route/sticky_split.h"
#include "source/route/table.h"
#include "source/route/test_request.h"
#include "test/reference/seeds.h"

namespace sluice::reference {
namespace {

using route::StickySplit;
using route::TestRequest;

constexpr size_t kProxies = 50;
constexpr uint32_t kUsers = 100'000;
constexpr uint32_t kSteps[] = {1, 5, 25, 50, 100};  // percent

// What one proxy has of a step: everything of its own, clusters in another order of names, other routes around.
std::shared_ptr<const route::Table> makeProxy(base::Random& random, uint32_t percent) {
  route::ClusterNames names;
  for (uint64_t others = random.below(5); others > 0; --others) names.idOf("other-" + std::to_string(random.next()));
  if (random.below(2) == 0) names.idOf("canary");
  route::ForwardSpec action;
  action.split = std::make_shared<const StickySplit>(
      "checkout-v2", std::vector<StickySplit::Key>{{StickySplit::Key::Source::kHeader, "x-user"}}, std::nullopt);
  const std::pair<const char*, uint32_t> shares[] = {{"stable", 100 - percent}, {"canary", percent}};
  for (const size_t index : StickySplit::orderOfShares(2)) {
    const auto& [name, weight] = shares[index];
    action.weighted.push_back({.cluster = names.idOf(name), .cluster_name = name, .weight = weight});
  }
  route::TableSpec spec;
  route::VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
  host.name = "all";
  host.domains = {"*"};
  for (uint64_t others = random.below(5); others > 0; --others) {
    host.routes.emplace_back().path = "/other/" + std::to_string(random.next());
  }
  host.routes.emplace_back().path = "/";
  host.routes.back().action = std::move(action);
  auto table = route::Table::build(std::move(spec));
  REQUIRE(table.ok());
  return *table;
}

// By step and number. They are made in any order, steps mixed.
std::vector<std::vector<std::shared_ptr<const route::Table>>> makeProxies() {
  base::Random random(numberFrom("SLUICE_REFERENCE_SEED", 1));
  std::vector<std::vector<std::shared_ptr<const route::Table>>> out(std::size(kSteps));
  for (auto& step : out) step.resize(kProxies);
  std::vector<size_t> order(std::size(kSteps) * kProxies);
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[random.below(i + 1)]);
  for (const size_t i : order) out[i / kProxies][i % kProxies] = makeProxy(random, kSteps[i / kProxies]);
  return out;
}

// By the published rule: a user whose point is in the lower part of all numbers.
bool belongsToCanary(const std::string& user, uint32_t percent) {
  const unsigned __int128 point = StickySplit::pointOf("checkout-v2", user);
  return point * 100 < static_cast<unsigned __int128>(percent) << 64;
}

}  // namespace

TEST_CASE("of 100,000 users over 50 proxies each step has its share, none is moved back, and all proxies agree") {
  const auto proxies = makeProxies();
  const bool all = numberFrom("SLUICE_REFERENCE_RUNS", 1) > 1;
  uint64_t in_canary[std::size(kSteps)] = {}, asked = 0, unequal = 0, moved_back = 0, unlike_rule = 0;
  for (uint32_t number = 0; number < kUsers; ++number) {
    const std::string user = "user-" + std::to_string(number);
    TestRequest request("/", "a.com", {{"x-user", user}});
    bool before = false;
    for (size_t step = 0; step < std::size(kSteps); ++step) {
      const bool rule = belongsToCanary(user, kSteps[step]);
      const size_t count = all || number % 50 == 0 ? kProxies : 2;
      bool first = false;
      for (size_t i = 0; i < count; ++i) {
        const size_t apart = count == 2 ? 1 + number % (kProxies - 1) : 1;
        const route::Table& proxy = *proxies[step][(number + i * apart) % kProxies];
        const bool canary = proxy.match(*request, ++asked * 0x9e3779b97f4a7c15u).clusterName() == "canary";
        if (i == 0) first = canary;
        unequal += canary != first;
        moved_back += before && !canary;
      }
      before = first;
      in_canary[step] += first;
      unlike_rule += first != rule;
    }
  }

  for (size_t step = 0; step < std::size(kSteps); ++step) {
    CAPTURE(kSteps[step], in_canary[step]);
    CHECK(std::abs(100.0 * static_cast<double>(in_canary[step]) / kUsers - kSteps[step]) < 0.5);
  }
  CHECK(unequal == 0);
  CHECK(unlike_rule == 0);
  CHECK(moved_back == 0);
  WARN(asked << " lookups; users in the canary: " << Catch::rangeToString(in_canary));
}

}  // namespace sluice::reference
