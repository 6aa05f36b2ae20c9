// Instructions of one choice of a host, and of one update of endpoints, for callgrind:
//
//   pick_bench POLICY HOSTS [PICKS]     default 10000; POLICY: see below, "-weighted" for unequal weights
//   pick_bench update POLICY HOSTS      10 hosts are exchanged for others: the set, its tables, one worker's balancer
//
// What is measured runs in functions of their own, so that
//   valgrind --tool=callgrind --toggle-collect='*pickHosts*' --toggle-collect='*updateHosts*'
//       --callgrind-out-file=/dev/null pick_bench ring_hash 10000
// counts it and nothing else ("Collected" / PICKS). Also printed: calls of operator new in an update.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "source/extensions/load_balancing_policies/client_side_weighted_round_robin/policy.h"
#include "source/extensions/load_balancing_policies/least_request/policy.h"
#include "source/extensions/load_balancing_policies/maglev/policy.h"
#include "source/extensions/load_balancing_policies/random/policy.h"
#include "source/extensions/load_balancing_policies/ring_hash/policy.h"
#include "source/extensions/load_balancing_policies/round_robin/policy.h"
#include "test/support/allocations/allocations.h"
#include "test/support/upstream/picking.h"

namespace policies = sluice::extensions::load_balancing_policies;
using namespace sluice::upstream;
using lb::Hashed;
using lb::LbPolicy;
using lb::Picking;

namespace {

std::unique_ptr<LbPolicy> policyOf(const std::string& name) {
  if (name.starts_with("round_robin")) return std::make_unique<policies::round_robin::Policy>();
  if (name.starts_with("least_request")) {
    return std::make_unique<policies::least_request::Policy>(policies::least_request::Settings{});
  }
  if (name.starts_with("random")) return std::make_unique<policies::random::Policy>();
  if (name.starts_with("ring_hash")) {
    return std::make_unique<policies::ring_hash::Policy>(policies::ring_hash::Settings{});
  }
  if (name.starts_with("by_load")) {
    return std::make_unique<policies::client_side_weighted_round_robin::Policy>(
        policies::client_side_weighted_round_robin::Settings{});
  }
  if (name.starts_with("maglev")) return std::make_unique<policies::maglev::Policy>(policies::maglev::Settings{});
  return nullptr;
}

// `changed` hosts have other addresses than in an assignment without changes.
cluster::Assignment assignmentOf(uint32_t hosts, bool weighted, uint32_t changed = 0) {
  cluster::Assignment assignment;
  cluster::LocalityEndpoints& locality = assignment.localities.emplace_back();
  for (uint32_t i = 0; i < hosts; ++i) {
    cluster::Endpoint& endpoint = locality.endpoints.emplace_back();
    const uint32_t ip = __builtin_bswap32((i < changed ? 0x0b000000u : 0x0a000000u) + i);
    endpoint.address = sluice::net::Address::fromIpv4Bytes(&ip, 80);
    endpoint.weight = weighted ? 1 + i % 7 : 1;
  }
  return assignment;
}

// Hosts report what their endpoints weigh, and that counts.
void reportWeights(Picking& picking) {
  using namespace std::chrono_literals;
  for (const cluster::HostSet::Entry& entry : picking.hosts().set().entries()) {
    entry.host->monitor().loadWeight().report(entry.weight, picking.loop().now(), 180s);
  }
  picking.loop().advance(10s);
  picking.pick();
}

__attribute__((noinline)) size_t pickHosts(Picking& picking, int picks) {
  size_t sum = 0;
  uint64_t hash = 1;
  for (int i = 0; i < picks; ++i) sum += picking.pick(Hashed(hash *= 0x9e3779b97f4a7c15u));
  return sum;
}

__attribute__((noinline)) void updateHosts(Picking& picking, const cluster::Assignment& assignment,
                                           const cluster::HostSet& previous) {
  picking.update(cluster::HostSet::build(assignment, {}, &previous));
}

int usage() {
  std::fprintf(stderr,
               "usage: pick_bench [update] POLICY HOSTS [PICKS]\n"
               "policies: round_robin least_request random ring_hash maglev by_load, with -weighted\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  const bool update = argc > 1 && std::strcmp(argv[1], "update") == 0;
  if (argc < (update ? 4 : 3)) return usage();
  const std::string name = argv[update ? 2 : 1];
  const auto hosts = static_cast<uint32_t>(std::atoi(argv[update ? 3 : 2]));
  const std::unique_ptr<LbPolicy> policy = policyOf(name);
  if (!policy) return usage();
  const bool weighted = name.ends_with("-weighted");
  const cluster::HostSetPtr set = cluster::HostSet::build(assignmentOf(hosts, weighted), {}, nullptr);
  Picking picking(*policy, set);
  if (update) {
    const cluster::Assignment changed = assignmentOf(hosts, weighted, 10);
    const uint64_t before = sluice::testing::allocations();
    updateHosts(picking, changed, *set);
    const uint64_t after = sluice::testing::allocations();
    std::printf("%llu allocations\n", static_cast<unsigned long long>(after - before));
    return 0;
  }
  reportWeights(picking);
  const int picks = argc > 3 ? std::atoi(argv[3]) : 10000;
  std::printf("%zu\n", pickHosts(picking, picks));
  return 0;
}
