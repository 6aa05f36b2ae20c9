#include "source/upstream/health/check_state.h"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;

namespace sluice::upstream::health {
namespace {

cluster::HealthCheckConfig thresholds(uint32_t healthy, uint32_t unhealthy) {
  cluster::HealthCheckConfig config;
  config.healthy_threshold = healthy;
  config.unhealthy_threshold = unhealthy;
  return config;
}

TEST_CASE("the first check that passes makes a new host healthy, further ones count up to the threshold") {
  const auto config = thresholds(3, 2);
  CheckState state(config, true, true);
  CHECK(state.passed());
  CHECK_FALSE(state.unhealthy());

  CHECK(state.failed(true));
  CHECK_FALSE(state.passed());
  CHECK_FALSE(state.passed());
  CHECK(state.passed());
}

TEST_CASE("a new host whose first check fails has to pass as often as the threshold says") {
  const auto config = thresholds(2, 1);
  CheckState state(config, true, true);
  CHECK_FALSE(state.failed(false));
  CHECK_FALSE(state.first());
  CHECK_FALSE(state.passed());
  CHECK(state.passed());
}

TEST_CASE("failures in a row count up to the threshold, and a check that passes begins anew") {
  const auto config = thresholds(1, 3);
  CheckState state(config, false, false);
  CHECK_FALSE(state.failed(false));
  CHECK_FALSE(state.failed(false));
  CHECK_FALSE(state.passed());
  CHECK_FALSE(state.failed(false));
  CHECK_FALSE(state.failed(false));
  CHECK(state.failed(false));
  CHECK(state.unhealthy());
}

TEST_CASE("successes in a row count, and a failure between them begins anew") {
  const auto config = thresholds(2, 1);
  CheckState state(config, false, true);
  CHECK_FALSE(state.passed());
  CHECK_FALSE(state.failed(false));
  CHECK_FALSE(state.passed());
  CHECK(state.passed());
}

TEST_CASE("a host that says that it is not well is unhealthy whatever the threshold") {
  const auto config = thresholds(1, 5);
  CheckState state(config, false, false);
  CHECK(state.failed(true));
}

TEST_CASE("each state has its interval, and the way from one to the other an interval of its own") {
  cluster::HealthCheckConfig config = thresholds(2, 2);
  config.interval = 1s;
  config.unhealthy_interval = 2s;
  config.healthy_edge_interval = 3s;
  config.unhealthy_edge_interval = 4s;
  config.no_traffic_interval = 50s;
  config.no_traffic_healthy_interval = 60s;
  base::Random random(1);
  CheckState state(config, false, false);
  const auto expect = [&](CheckState::Millis with_traffic, CheckState::Millis without) {
    CHECK(state.untilNext(true, random) == with_traffic);
    CHECK(state.untilNext(false, random) == without);
  };
  state.passed();
  expect(1s, 60s);
  state.failed(false);
  expect(4s, 50s);
  state.passed();
  expect(1s, 60s);
  state.failed(false);
  state.failed(false);
  expect(2s, 50s);
  state.passed();
  expect(3s, 50s);
  state.failed(false);
  expect(2s, 50s);
  state.passed();
  state.passed();
  expect(1s, 60s);
}

TEST_CASE("jitter makes a wait longer, by chance, and never by as much as it says") {
  cluster::HealthCheckConfig config = thresholds(1, 1);
  config.interval = 1000ms;
  config.interval_jitter = 100ms;
  config.interval_jitter_percent = 50;
  config.initial_jitter = 200ms;
  base::Random random(7);
  CheckState state(config, false, false);
  CheckState::Millis shortest = 1h, longest = 0ms, longest_first = 0ms;
  for (int i = 0; i < 1000; ++i) {
    const auto wait = state.untilNext(true, random);
    shortest = std::min(shortest, wait);
    longest = std::max(longest, wait);
    longest_first = std::max(longest_first, state.untilFirst(random));
  }
  CHECK(shortest >= 1000ms);
  CHECK(shortest < 1100ms);
  CHECK(longest > 1500ms);
  CHECK(longest < 1600ms);
  CHECK(longest_first > 150ms);
  CHECK(longest_first < 200ms);
}

}  // namespace
}  // namespace sluice::upstream::health
