#include "source/extensions/load_balancing_policies/random_subsetting/policy.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "test/support/upstream/picking.h"
#include "test/support/upstream/policies.h"

namespace sluice::extensions::load_balancing_policies::random_subsetting {
namespace {

using upstream::cluster::Assignment;
using upstream::cluster::HostSet;
using upstream::cluster::HostSetPtr;
using upstream::lb::Picking;

// Hosts 10.0.0.1 with these ports, of two localities that weigh 9 and 1.
HostSetPtr hostsOfPorts(const std::vector<uint16_t>& ports, bool weighted = false, uint32_t priority = 0) {
  Assignment assignment;
  for (uint32_t i = 0; i < 2; ++i) {
    auto& locality = assignment.localities.emplace_back();
    locality.locality.zone = std::to_string(i);
    locality.weight = i == 0 ? 9 : 1;
  }
  for (const uint16_t port : ports) {
    auto& endpoint = assignment.localities[port % 2].endpoints.emplace_back();
    endpoint.address = *net::Address::fromIp("10.0.0.1", port);
  }
  assignment.localities[1].priority = priority;
  return HostSet::build(assignment, {.locality_weighted = weighted}, nullptr);
}

std::vector<uint16_t> portsTo(uint16_t count) {
  std::vector<uint16_t> out(count);
  for (uint16_t i = 0; i < count; ++i) out[i] = static_cast<uint16_t>(i + 1);
  return out;
}

// Takes hosts in turn; localities count by their weights if it is so.
class Inner final : public upstream::lb::LbPolicy {
 public:
  explicit Inner(bool weighted) : weighted_(weighted) {}
  std::unique_ptr<upstream::lb::LbPicker> makePicker(upstream::lb::LbWorker& worker) const override {
    return in_turn_.makePicker(worker);
  }
  bool localityWeighted() const override { return weighted_; }

 private:
  upstream::lb::InTurn in_turn_;
  const bool weighted_;
};

Policy policyOf(uint32_t size, uint64_t seed, bool weighted = false) {
  return Policy(std::make_shared<Inner>(weighted), size, std::make_shared<const Seed>(seed));
}

std::map<uint16_t, int> picksOf(const Policy& policy, const HostSetPtr& hosts, int count) {
  Picking picking(policy, hosts);
  std::map<uint16_t, int> out;
  for (int i = 0; i < count; ++i) ++out[picking.hosts().hostPtr(picking.pick())->address().port()];
  return out;
}

std::set<uint16_t> subsetOf(const Policy& policy, const HostSetPtr& hosts) {
  std::set<uint16_t> out;
  for (const auto& [port, picks] : picksOf(policy, hosts, 500)) out.insert(port);
  return out;
}

TEST_CASE("as many hosts get requests as the subset has, all of them where there are fewer") {
  const Policy policy = policyOf(5, 1);

  CHECK(subsetOf(policy, hostsOfPorts(portsTo(100))).size() == 5);
  CHECK(subsetOf(policy, hostsOfPorts(portsTo(5))).size() == 5);
  CHECK(subsetOf(policy, hostsOfPorts(portsTo(3))).size() == 3);
  CHECK(Picking(policy).pick() == upstream::cluster::kNoHost);
}

TEST_CASE("a host that comes or leaves changes one member at most, and order does not matter") {
  const Policy policy = policyOf(10, 1);
  std::vector<uint16_t> ports = portsTo(100);
  const std::set<uint16_t> before = subsetOf(policy, hostsOfPorts(ports));
  const auto kept = [&before](const std::set<uint16_t>& after) {
    return std::count_if(after.begin(), after.end(), [&](uint16_t port) { return before.contains(port); });
  };

  std::reverse(ports.begin(), ports.end());
  CHECK(subsetOf(policy, hostsOfPorts(ports)) == before);
  ports.push_back(101);
  CHECK(kept(subsetOf(policy, hostsOfPorts(ports))) >= 9);
  std::erase(ports, *before.begin());
  std::erase(ports, 101);
  const std::set<uint16_t> after = subsetOf(policy, hostsOfPorts(ports));
  CHECK(after.size() == 10);
  CHECK(kept(after) == 9);
}

TEST_CASE("many processes spread evenly") {
  const HostSetPtr hosts = hostsOfPorts(portsTo(20));
  std::map<uint16_t, int> times;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    for (const uint16_t port : subsetOf(policyOf(5, seed), hosts)) ++times[port];
  }

  CHECK(times.size() == 20);
  for (const auto& [port, count] : times) CHECK(count == Approx(100).margin(50));
}

TEST_CASE("each priority has a subset") {
  const Policy policy = policyOf(3, 1);
  Picking picking(policy, hostsOfPorts(portsTo(20), false, 1));
  const base::PrioritySet first(1);
  upstream::lb::LbContext retry;
  retry.passed_over = &first;
  std::set<upstream::cluster::HostSlot> of_first, of_second;

  for (int i = 0; i < 100; ++i) {
    of_first.insert(picking.pick());
    of_second.insert(picking.pick(retry));
  }

  CHECK(of_first.size() == 3);
  CHECK(of_second.size() == 3);
}

TEST_CASE("localities count in the subset as they do for the policy that chooses") {
  const HostSetPtr hosts = hostsOfPorts(portsTo(100), true);
  const auto ofSecond = [&hosts](bool weighted) {
    int out = 0;
    for (const auto& [port, picks] : picksOf(policyOf(20, 1, weighted), hosts, 1000)) out += port % 2 == 1 ? picks : 0;
    return out;
  };

  CHECK(ofSecond(true) == Approx(100).margin(5));
  CHECK(ofSecond(false) > 250);
}

}  // namespace
}  // namespace sluice::extensions::load_balancing_policies::random_subsetting
