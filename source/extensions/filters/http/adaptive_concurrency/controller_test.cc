#include "source/extensions/filters/http/adaptive_concurrency/controller.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <thread>
#include <vector>

namespace sluice::extensions::http_filters::adaptive_concurrency {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using TimePoint = Controller::TimePoint;

const TimePoint kStart{hours(1)};

Rules measured() {
  Rules out;
  out.update_interval = milliseconds(100);
  out.measure_interval = seconds(60);
  out.measure_count = 5;
  return out;
}

Rules fixed() {
  Rules out;
  out.update_interval = milliseconds(100);
  out.fixed_best = milliseconds(10);
  out.measure_limit = out.min_limit = 16;
  out.buffer = 0;
  return out;
}

// One request at a time, each with an answer after `latency`. Returns when the last one ends.
TimePoint serve(Controller& controller, TimePoint now, milliseconds latency, int requests = 1) {
  for (int i = 0; i < requests; ++i) {
    REQUIRE(controller.admit(now));
    controller.complete(now, now + latency, 0);
    now += latency;
  }
  return now;
}

// How many are let in beside those that run.
uint32_t room(Controller& controller, TimePoint now) {
  uint32_t out = 0;
  while (controller.admit(now)) ++out;
  for (uint32_t i = 0; i < out; ++i) controller.cancel();
  return out;
}

TEST_CASE("a percentile of latencies is exact to a few percent, and taken once") {
  Latencies latencies;
  for (int i = 1; i <= 1000; ++i) latencies.add(milliseconds(i));
  CHECK(latencies.count() == 1000);
  CHECK(latencies.take(0.9)->count() == Approx(900'000).epsilon(0.02));
  CHECK(latencies.count() == 0);
  CHECK_FALSE(latencies.take(0.9));
}

TEST_CASE("percentiles of small, huge and single latencies are in their range") {
  const double share = GENERATE(0.0, 0.5, 1.0);
  const int64_t one = GENERATE(as<int64_t>{}, 0, 1, 15, 16, 31, 32, 1000, int64_t{UINT32_MAX} - 1);
  Latencies latencies;
  latencies.add(microseconds(one));
  const auto taken = static_cast<double>(latencies.take(share)->count());
  CHECK(taken >= static_cast<double>(one) * 0.93);
  CHECK(taken <= static_cast<double>(one) * 1.07 + 1);
}

TEST_CASE("a latency that is no number of microseconds counts as the nearest that is") {
  Latencies latencies;
  latencies.add(hours(100));
  CHECK(latencies.take(1)->count() == int64_t{1} << 32);
  latencies.add(microseconds(-5));
  CHECK(latencies.take(1)->count() == 1);
}

TEST_CASE("at first few requests are let through until the best latency is known") {
  Controller controller(measured());
  CHECK(controller.measuring());
  CHECK(room(controller, kStart) == 3);

  serve(controller, kStart, milliseconds(10), 4);
  CHECK(controller.measuring());
  serve(controller, kStart, milliseconds(10));

  CHECK_FALSE(controller.measuring());
  CHECK(controller.shown().best_us == Approx(10'000).epsilon(0.04));
}

TEST_CASE("a place is taken until the request ends, with an answer or without") {
  Controller controller(measured());
  for (int i = 0; i < 3; ++i) REQUIRE(controller.admit(kStart));
  CHECK_FALSE(controller.admit(kStart));
  controller.cancel();
  CHECK(controller.admit(kStart));
  controller.complete(kStart, kStart, 0);
  CHECK(controller.admit(kStart));
  CHECK(controller.running() == 3);
}

TEST_CASE("the limit grows while answers are as fast as they can be") {
  Controller controller(fixed());
  CHECK(controller.limit() == 16);

  const TimePoint now = serve(controller, kStart, milliseconds(10));  // begins an interval
  serve(controller, now + milliseconds(100), milliseconds(10));
  serve(controller, now + milliseconds(200), milliseconds(10));

  CHECK(controller.limit() == Approx(23).margin(2));  // 16 + 4 and a little more
  CHECK(controller.shown().gradient == Approx(1000).epsilon(0.05));
}

TEST_CASE("the limit shrinks while answers are slow, by half at most") {
  Rules rules = fixed();
  rules.measure_limit = 400;
  Controller controller(rules);
  REQUIRE(controller.limit() == 400);
  serve(controller, kStart, milliseconds(200));
  CHECK(controller.limit() == 400 / 2 + 14);
  CHECK(controller.shown().gradient == 500);
  CHECK(controller.shown().headroom == 14);
  CHECK(controller.shown().latency_us == Approx(200'000).epsilon(0.05));
}

TEST_CASE("the limit doubles at most, and stays between its bounds") {
  Rules rules = fixed();
  rules.max_limit = 20;
  Controller controller(rules);
  TimePoint now = serve(controller, kStart, milliseconds(1));
  for (int i = 0; i < 3; ++i) now = serve(controller, now + milliseconds(100), milliseconds(1));
  CHECK(controller.limit() == 20);
  CHECK(controller.shown().gradient == 2000);
  for (int i = 0; i < 9; ++i) now = serve(controller, now + milliseconds(100), milliseconds(500));
  CHECK(controller.limit() == 16);
}

TEST_CASE("within an interval, and without answers, the limit stays as it is") {
  Rules rules = fixed();
  rules.measure_limit = 400;
  Controller controller(rules);
  const TimePoint now = serve(controller, kStart, milliseconds(200));
  const uint32_t limit = controller.limit();
  serve(controller, now, milliseconds(99));
  CHECK(controller.limit() == limit);
  const uint32_t next = room(controller, now + hours(1));
  CHECK(next < limit);
  CHECK(room(controller, now + hours(2)) == next);
}

TEST_CASE("a new measurement begins after the interval and its jitter, and gives the limit back") {
  Rules rules = measured();
  rules.jitter = 0.5;
  Controller controller(rules);
  TimePoint now = kStart;
  for (int i = 0; i < 5; ++i) {
    REQUIRE(controller.admit(now));
    controller.complete(now, now + milliseconds(10), 5'000);  // half of the jitter: 15 s
    now += milliseconds(10);
  }
  REQUIRE_FALSE(controller.measuring());
  const TimePoint measured_at = now;
  for (int i = 0; i < 5; ++i) now = serve(controller, now + milliseconds(100), milliseconds(10));
  const uint32_t limit = controller.limit();
  REQUIRE(limit > 10);

  serve(controller, measured_at + seconds(75) - milliseconds(100), milliseconds(10));
  CHECK_FALSE(controller.measuring());
  const uint32_t grown = controller.limit();
  CHECK(grown > limit);
  now = serve(controller, measured_at + seconds(75), milliseconds(20));
  CHECK(controller.measuring());
  CHECK(controller.limit() == 3);

  serve(controller, now, milliseconds(20), 4);
  CHECK_FALSE(controller.measuring());
  CHECK(controller.limit() == grown);
  CHECK(controller.shown().best_us == Approx(20'000).epsilon(0.05));
}

TEST_CASE("answers to requests from before a measurement do not count for it") {
  Controller controller(measured());
  TimePoint now = serve(controller, kStart, milliseconds(10), 5);
  REQUIRE(controller.admit(now));
  const TimePoint old = now;
  now += seconds(70);
  REQUIRE(controller.admit(now));
  REQUIRE(controller.measuring());
  controller.complete(old, now, 0);
  controller.complete(now, now + milliseconds(10), 0);

  serve(controller, now, milliseconds(10), 3);
  CHECK(controller.measuring());
  serve(controller, now, milliseconds(10));
  CHECK_FALSE(controller.measuring());
  CHECK(controller.shown().best_us < 11'000);
}

TEST_CASE("five intervals with the lowest limit begin a measurement") {
  Controller controller(measured());
  TimePoint now = serve(controller, kStart, milliseconds(1), 5);
  int intervals = 0;
  while (!controller.measuring() && intervals < 20) {
    now = serve(controller, now + milliseconds(100), milliseconds(50));
    ++intervals;
  }
  CHECK(intervals == 6);  // of which the first one began without an answer
}

TEST_CASE("with a lowest limit of its own a measurement leaves the limit alone") {
  Rules rules = measured();
  rules.min_limit = 25;
  rules.measure_at_limit = true;
  Controller controller(rules);
  CHECK(controller.measuring());
  CHECK(room(controller, kStart) == 25);
}

TEST_CASE("a fixed best latency is never measured") {
  Controller controller(fixed());
  TimePoint now = kStart;
  for (int i = 0; i < 50; ++i) now = serve(controller, now + milliseconds(100), milliseconds(500));
  CHECK_FALSE(controller.measuring());
  CHECK(controller.shown().best_us == 10'000);
}

TEST_CASE("many threads never have more on their way than the limit, and give all places back") {
  Rules rules = measured();
  rules.max_limit = 8;
  rules.update_interval = milliseconds(1);
  rules.measure_interval = milliseconds(20);
  Controller controller(rules);
  std::atomic<uint32_t> running{0}, most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      TimePoint now = kStart;
      for (int i = 0; i < 20'000; ++i) {
        if (controller.admit(now)) {
          const uint32_t mine = running.fetch_add(1) + 1;
          uint32_t seen = most.load();
          while (seen < mine && !most.compare_exchange_weak(seen, mine)) {
          }
          running.fetch_sub(1);
          if ((i + t) % 5 == 0) {
            controller.cancel();
          } else {
            controller.complete(now, now + microseconds(100 + i % 50), static_cast<uint64_t>(i));
          }
        }
        now += microseconds(100);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(most.load() <= 8);
  CHECK(controller.running() == 0);
  CHECK(controller.limit() >= 3);
  CHECK(controller.limit() <= 8);
}

}  // namespace
}  // namespace sluice::extensions::http_filters::adaptive_concurrency
