#include "source/base/shared_limit.h"

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

namespace sluice::base {
namespace {

TEST_CASE("a unit goes with its holder, and makes room at its end") {
  SharedLimit limit(1), other(1);
  {
    LimitUnit first, second;
    CHECK(first.take(&limit));
    CHECK_FALSE(second.take(&limit));
    CHECK(second.take(nullptr));
    LimitUnit moved = std::move(first);
    CHECK_FALSE(first.take(&limit));
    CHECK(moved.take(&other));
    CHECK(limit.used() == 0);
    CHECK(other.used() == 1);
    CHECK(second.take(&limit));
    CHECK_FALSE(moved.take(&limit));
    CHECK(other.used() == 1);
  }
  CHECK(limit.used() == 0);
  CHECK(other.used() == 0);
}

TEST_CASE("whatever the threads, a limit is never exceeded") {
  const int threads = GENERATE(1, 4);
  SharedLimit limit(3);
  std::atomic<int> inside{0}, most{0};
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i) {
    all.emplace_back([&] {
      for (int n = 0; n < 20000; ++n) {
        LimitUnit one, two;
        if (!one.take(&limit) || !two.take(&limit)) continue;
        const int now = inside.fetch_add(2) + 2;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        inside.fetch_sub(2);
      }
    });
  }
  for (std::thread& thread : all) thread.join();

  CHECK(most <= 3);
  CHECK(most >= 2);
  CHECK(limit.used() == 0);
}

}  // namespace
}  // namespace sluice::base
