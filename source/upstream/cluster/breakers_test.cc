#include "source/upstream/cluster/breakers.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

namespace sluice::upstream::cluster {
namespace {

constexpr RoutingPriority kDefault = RoutingPriority::kDefault;
constexpr RoutingPriority kHigh = RoutingPriority::kHigh;

ThresholdsByPriority limits(uint32_t requests) {
  ThresholdsByPriority thresholds;
  thresholds[0].max_requests = requests;
  return thresholds;
}

TEST_CASE("a breaker opens at its limit and closes on release") {
  Breakers breakers(limits(2));

  CHECK(breakers.tryAcquire(Resource::kRequests, kDefault));
  CHECK_FALSE(breakers.open(Resource::kRequests, kDefault));
  CHECK(breakers.tryAcquire(Resource::kRequests, kDefault));
  CHECK(breakers.open(Resource::kRequests, kDefault));
  CHECK_FALSE(breakers.tryAcquire(Resource::kRequests, kDefault));
  CHECK(breakers.used(Resource::kRequests, kDefault) == 2);

  breakers.release(Resource::kRequests, kDefault);
  CHECK(breakers.tryAcquire(Resource::kRequests, kDefault));
}

TEST_CASE("resources and priorities are counted apart") {
  Breakers breakers(limits(0));

  CHECK_FALSE(breakers.tryAcquire(Resource::kRequests, kDefault));
  CHECK(breakers.tryAcquire(Resource::kRequests, kHigh));
  CHECK(breakers.tryAcquire(Resource::kConnections, kDefault));
  CHECK(breakers.tryAcquire(Resource::kPendingRequests, kDefault));
  CHECK(breakers.used(Resource::kRequests, kDefault) == 0);
  CHECK(breakers.limit(Resource::kRetries, kDefault) == 3);
}

TEST_CASE("a budget is a share of what runs and waits, and at least its floor") {
  ThresholdsByPriority thresholds;
  thresholds[0] = {.max_retries = 100, .retry_budget = RetryBudget{.percent = 20, .min_concurrency = 2}};
  Breakers breakers(thresholds);
  CHECK(breakers.limit(Resource::kRetries, kDefault) == 2);
  CHECK(breakers.limit(Resource::kRetries, kHigh) == 3);

  for (int i = 0; i < 19; ++i)
    breakers.acquire(i % 2 == 0 ? Resource::kRequests : Resource::kPendingRequests, kDefault);
  CHECK(breakers.limit(Resource::kRetries, kDefault) == 3);
  breakers.acquire(Resource::kRequests, kDefault);
  CHECK(breakers.limit(Resource::kRetries, kDefault) == 4);
  for (int i = 0; i < 4; ++i) CHECK(breakers.tryAcquire(Resource::kRetries, kDefault));
  CHECK_FALSE(breakers.tryAcquire(Resource::kRetries, kDefault));
  CHECK(breakers.open(Resource::kRetries, kDefault));

  breakers.setLimits({Thresholds{.max_retries = 5}, {}});
  CHECK(breakers.limit(Resource::kRetries, kDefault) == 5);
}

TEST_CASE("a lowered limit refuses until enough was released") {
  Breakers breakers(limits(2));
  REQUIRE(breakers.tryAcquire(Resource::kRequests, kDefault));
  REQUIRE(breakers.tryAcquire(Resource::kRequests, kDefault));

  breakers.setLimits(limits(1));

  CHECK_FALSE(breakers.tryAcquire(Resource::kRequests, kDefault));
  breakers.release(Resource::kRequests, kDefault);
  CHECK_FALSE(breakers.tryAcquire(Resource::kRequests, kDefault));
  breakers.release(Resource::kRequests, kDefault);
  CHECK(breakers.tryAcquire(Resource::kRequests, kDefault));
}

TEST_CASE("a limit holds for the process with 1 and with 4 workers") {
  const int workers = GENERATE(1, 4);
  constexpr uint32_t kLimit = 3;
  Breakers breakers(limits(kLimit));
  std::atomic<uint32_t> held{0};
  std::atomic<uint32_t> most{0};
  std::atomic<uint64_t> taken{0};
  std::vector<std::thread> threads;

  for (int worker = 0; worker < workers; ++worker) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50000; ++i) {
        if (!breakers.tryAcquire(Resource::kRequests, kDefault)) continue;
        const uint32_t now = held.fetch_add(1) + 1;
        uint32_t seen = most.load();
        while (seen < now && !most.compare_exchange_weak(seen, now)) {
        }
        taken.fetch_add(1);
        held.fetch_sub(1);
        breakers.release(Resource::kRequests, kDefault);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  CHECK(most.load() <= kLimit);
  CHECK(taken.load() > 0);
  CHECK(breakers.used(Resource::kRequests, kDefault) == 0);
}

TEST_CASE("threads that only take never get more than the limit in all") {
  Breakers breakers(limits(1000));
  std::atomic<uint32_t> taken{0};
  std::vector<std::thread> threads;

  for (int worker = 0; worker < 4; ++worker) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        if (breakers.tryAcquire(Resource::kRequests, kDefault)) taken.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  CHECK(taken.load() == 1000);
}

}  // namespace
}  // namespace sluice::upstream::cluster
