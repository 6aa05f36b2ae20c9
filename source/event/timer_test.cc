#include "source/event/timer.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

using namespace std::chrono_literals;

namespace sluice::event {
namespace {

void advanceBy(TimerQueue& queue, Duration by) {
  queue.setNow(queue.now() + by);
  queue.runExpired();
}

TEST_CASE("timers expire in the order of their deadlines") {
  TimerQueue queue;
  std::string order;
  Timer c(queue, [&] { order += 'c'; }), a(queue, [&] { order += 'a'; }), b(queue, [&] { order += 'b'; });
  c.arm(30ms);
  a.arm(10ms);
  b.arm(20ms);

  advanceBy(queue, 25ms);
  REQUIRE(order == "ab");
  advanceBy(queue, 5ms);
  REQUIRE(order == "abc");
}

TEST_CASE("a deadline that moved later expires at the later time, one that moved earlier at the earlier") {
  TimerQueue queue;
  int fired = 0;
  Timer timer(queue, [&] { ++fired; });
  timer.arm(10ms);
  timer.arm(50ms);

  advanceBy(queue, 20ms);
  REQUIRE(fired == 0);
  timer.arm(5ms);
  advanceBy(queue, 5ms);
  REQUIRE(fired == 1);
  advanceBy(queue, 100ms);
  REQUIRE(fired == 1);
}

TEST_CASE("a cancelled or destroyed timer does not expire") {
  TimerQueue queue;
  int fired = 0;
  Timer cancelled(queue, [&] { ++fired; });
  auto destroyed = std::make_unique<Timer>(queue, [&] { ++fired; });
  cancelled.arm(1ms);
  destroyed->arm(1ms);
  cancelled.cancel();
  destroyed.reset();

  advanceBy(queue, 10ms);

  REQUIRE(fired == 0);
  REQUIRE_FALSE(cancelled.armed());
}

TEST_CASE("a timer may destroy itself and others while it runs") {
  TimerQueue queue;
  std::unique_ptr<Timer> self, other;
  int fired = 0;
  self = std::make_unique<Timer>(queue, [&] {
    ++fired;
    other.reset();
    self.reset();
  });
  other = std::make_unique<Timer>(queue, [&] { ++fired; });
  self->arm(1ms);
  other->arm(1ms);

  advanceBy(queue, 1ms);

  REQUIRE(fired == 1);
  REQUIRE(queue.next() == TimePoint::max());
}

TEST_CASE("a random mix of arm, cancel and advance agrees with a plain list of deadlines") {
  TimerQueue queue;
  uint64_t seed = 42;
  auto random = [&seed](uint64_t n) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % n;
  };
  constexpr int kTimers = 50;
  std::vector<std::unique_ptr<Timer>> timers;
  std::vector<TimePoint> expected(kTimers, TimePoint::max());
  std::vector<int> fired(kTimers, 0), expected_fired(kTimers, 0);
  for (int i = 0; i < kTimers; ++i) timers.push_back(std::make_unique<Timer>(queue, [&fired, i] { ++fired[i]; }));

  for (int step = 0; step < 20000; ++step) {
    const int i = random(kTimers);
    if (random(4) == 0) {
      timers[i]->cancel();
      expected[i] = TimePoint::max();
    } else {
      const auto delay = std::chrono::milliseconds(1 + random(100));
      timers[i]->arm(delay);
      expected[i] = queue.now() + delay;
    }
    if (random(3) == 0) {
      advanceBy(queue, std::chrono::milliseconds(random(20)));
      for (int k = 0; k < kTimers; ++k) {
        if (expected[k] <= queue.now()) {
          ++expected_fired[k];
          expected[k] = TimePoint::max();
        }
      }
      REQUIRE(fired == expected_fired);
    }
  }
}

}  // namespace
}  // namespace sluice::event
