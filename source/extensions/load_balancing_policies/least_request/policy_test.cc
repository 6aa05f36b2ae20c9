#include "source/extensions/load_balancing_policies/least_request/policy.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <new>
#include <set>
#include <vector>

#include "test/support/upstream/picking.h"

namespace {
std::atomic<uint64_t> allocations{0};
}

// Counts the allocations of this test program.
void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace sluice::extensions::load_balancing_policies::least_request {
namespace {

using upstream::cluster::HostSetPtr;
using upstream::cluster::HostSlot;
using upstream::cluster::kNoHost;
using upstream::lb::hostsOfWeights;
using upstream::lb::Picking;

TEST_CASE("without hosts none is picked") {
  const Policy policy{Settings{}};

  CHECK(Picking(policy).pick() == kNoHost);
}

TEST_CASE("the host with fewer active requests is preferred") {
  const Policy policy{Settings{}};
  Picking picking(policy, hostsOfWeights({1, 1}));
  for (int i = 0; i < 5; ++i) picking.hosts().requestStarted(0);

  std::map<HostSlot, int> picks = picking.pickMany(10000);

  CHECK(picks[0] == Approx(2500).margin(200));  // both choices fell on it
  CHECK(picks[1] == Approx(7500).margin(200));
}

TEST_CASE("long requests even out") {
  const Policy policy{Settings{}};
  Picking picking(policy, hostsOfWeights(std::vector<uint32_t>(10, 1)));

  for (int i = 0; i < 1000; ++i) picking.hosts().requestStarted(picking.pick());

  for (HostSlot slot = 0; slot < 10; ++slot) CHECK(picking.hosts().activeRequests(slot) == Approx(100).margin(4));
}

TEST_CASE("weights are followed and busy hosts shunned") {
  const Policy policy{Settings{}};
  Picking picking(policy, hostsOfWeights({1, 3}));
  std::map<HostSlot, int> idle = picking.pickMany(4000);
  for (int i = 0; i < 8; ++i) picking.hosts().requestStarted(1);
  std::map<HostSlot, int> busy = picking.pickMany(4000);

  CHECK(idle[1] == Approx(3000).margin(10));
  CHECK(busy[1] == Approx(1000).margin(10));  // weight 3 / 9 against 1
}

TEST_CASE("active request bias 0 leaves the weights alone") {
  const Policy policy{Settings{.active_request_bias = 0}};
  Picking picking(policy, hostsOfWeights({1, 3}));
  for (int i = 0; i < 8; ++i) picking.hosts().requestStarted(1);

  CHECK(picking.pickMany(4000)[1] == Approx(3000).margin(10));
}

TEST_CASE("a larger choice count looks at more hosts") {
  const Policy policy{Settings{.choice_count = 8}};
  Picking picking(policy, hostsOfWeights({1, 1}));
  picking.hosts().requestStarted(0);

  CHECK(picking.pickMany(10000)[0] == Approx(10000.0 / 256).margin(25));
}

TEST_CASE("picking a host allocates nothing") {
  const bool equal = GENERATE(true, false);
  const HostSetPtr hosts = hostsOfWeights(equal ? std::vector<uint32_t>(50, 1) : std::vector<uint32_t>{1, 2, 3, 4, 5});
  const Policy policy{Settings{}};
  Picking picking(policy, hosts);
  const uint64_t before = allocations;

  for (int i = 0; i < 1000; ++i) picking.hosts().requestStarted(picking.pick());

  const uint64_t after = allocations;
  CHECK(after == before);
}

}  // namespace
}  // namespace sluice::extensions::load_balancing_policies::least_request
