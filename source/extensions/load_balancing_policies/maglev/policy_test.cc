#include "source/extensions/load_balancing_policies/maglev/policy.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "source/base/xx_hash.h"
#include "test/support/upstream/picking.h"

namespace sluice::extensions::load_balancing_policies::maglev {
namespace {

using upstream::cluster::HostSetPtr;
using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;
using upstream::lb::Hashed;
using upstream::lb::hostsFromPort;
using upstream::lb::hostsOfWeights;
using upstream::lb::Picking;

// Which host is at each place.
std::vector<HostSlot> tableOf(const HostSetPtr& hosts, uint64_t size) {
  const Policy policy{Settings{.table_size = size}};
  Picking picking(policy, hosts);
  std::vector<HostSlot> out;
  for (uint64_t place = 0; place < size; ++place) out.push_back(picking.pick(Hashed(place)));
  return out;
}

TEST_CASE("without hosts none is picked, and with one that one") {
  const Policy policy{Settings{}};

  CHECK(Picking(policy).pick(Hashed(1)) == kNoHost);
  CHECK(Picking(policy, hostsOfWeights({1})).pick(Hashed(UINT64_MAX)) == 0);
}

TEST_CASE("the table is the one that Envoy's tests publish") {
  CHECK(tableOf(hostsFromPort(90, {1, 1, 1, 1, 1, 1}), 7) == std::vector<HostSlot>{2, 4, 0, 1, 5, 0, 3});
}

TEST_CASE("the table is that of a reference in another language, by weights") {
  CHECK(tableOf(hostsFromPort(90, {1, 2, 5}), 17) ==
        std::vector<HostSlot>{2, 0, 0, 1, 2, 2, 1, 0, 1, 1, 2, 2, 2, 2, 1, 2, 2});
  const Policy policy{Settings{}};
  Picking five(policy, hostsOfWeights({1, 2, 3, 4, 7}));
  Picking hundred(policy, hostsOfWeights(std::vector<uint32_t>(100, 1)));
  std::vector<HostSlot> of_five, of_hundred;
  for (int user = 0; user < 20; ++user) {
    const Hashed request(base::xxHash64("user" + std::to_string(user)));
    of_five.push_back(five.pick(request));
    of_hundred.push_back(hundred.pick(request));
  }

  CHECK(of_five == std::vector<HostSlot>{2, 3, 4, 3, 3, 4, 3, 3, 2, 3, 4, 2, 4, 3, 3, 4, 4, 2, 3, 4});
  CHECK(of_hundred ==
        std::vector<HostSlot>{73, 99, 19, 25, 34, 76, 42, 56, 87, 3, 86, 28, 10, 59, 68, 29, 57, 62, 67, 19});
}

TEST_CASE("hosts have places by their weights") {
  std::vector<int> places(5);
  for (const HostSlot slot : tableOf(hostsOfWeights({1, 2, 3, 4, 7}), 65537)) ++places[slot];

  CHECK(places == std::vector<int>{3855, 7710, 11566, 15421, 26985});
}

TEST_CASE("most requests stay where they were when a host goes") {
  const std::vector<HostSlot> before = tableOf(hostsFromPort(90, std::vector<uint32_t>(20, 1)), 65537);
  const std::vector<HostSlot> after = tableOf(hostsFromPort(90, std::vector<uint32_t>(19, 1)), 65537);
  int moved = 0;
  for (size_t i = 0; i < before.size(); ++i) moved += before[i] != 19 && before[i] != after[i];

  CHECK(moved < 65537 / 50);
}

TEST_CASE("a host that is refused is left for another place of the table") {
  const Policy policy{Settings{.table_size = 7}};
  Picking picking(policy, hostsFromPort(90, {1, 1, 1, 1, 1, 1}));
  Hashed request(0);
  request.repicks = 1;
  request.refused = {2};

  // All bits turned: place 2^64 - 1 modulo 7.
  CHECK(picking.pick(request) == std::vector<HostSlot>({2, 4, 0, 1, 5, 0, 3})[UINT64_MAX % 7]);
}

TEST_CASE("with a balance factor no host gets more than its share times the factor") {
  const Policy policy{Settings{.hashing = {.balance_factor = 100}}};
  Picking picking(policy, hostsOfWeights({1, 3}));

  for (int i = 0; i < 400; ++i) picking.hosts().requestStarted(picking.pick(Hashed(77)));

  CHECK(picking.hosts().activeRequests(0) == Approx(100).margin(2));
  CHECK(picking.hosts().activeRequests(1) == Approx(300).margin(2));
}

}  // namespace
}  // namespace sluice::extensions::load_balancing_policies::maglev
